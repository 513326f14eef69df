"""Our candidates D^α(u^a v^b …) as a feature library of PySINDy, and our equations as models of PySINDy.

``CandidateFeatures`` serves PySINDy's optimisers and ``SparseRegressor`` alike:

    features = CandidateFeatures({"x": x, "t": t}, DiscoverySettings(degree=2, derivative_order=2))
    model = pysindy.SINDy(feature_library=features, optimizer=SparseRegressor())
    model.fit(u[..., None], t=t)

In weak form a sample is a window, ∫ψ D^α(u^a), and the target is ∫ψ ∂_t u, with the bias of noise taken out of powers.
How noise goes from window to window and draws coefficients towards zero is what ``discover_pde`` knows beyond that;
``pysindy_model`` makes a model of PySINDy from the equations that it finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from mechlearn.equations.data.fields import Field
from mechlearn.equations.data.noise import field_noises
from mechlearn.equations.equation import Equation
from mechlearn.equations.peers.pysindy_interface import (
    AxesArray,
    BaseFeatureLibrary,
    BaseOptimizer,
    SINDy,
    comprehend_axes,
    x_sequence_or_item,
)
from mechlearn.equations.search.discovery import DiscoverySettings
from mechlearn.equations.search.library import Candidate, candidate_of, candidates
from mechlearn.equations.search.strong import finite_difference
from mechlearn.equations.search.weak import WeakRows, choose_windows, weak_rows
from mechlearn.errors import InputError


class CandidateFeatures(BaseFeatureLibrary):  # type: ignore[misc]  # PySINDy asks for the subclass
    """Derivatives of monomials as features, in weak or strong form.

    Parameters
    ----------
    coordinates : mapping of str to (points,)
        The uniform grid of PySINDy's data, an axis each, time last and named ``t``.
    settings : DiscoverySettings
        Degree, order and form of the candidates; windows and noise of the weak form.
    chosen : tuple of Candidate or None
        These, in place of all up to degree and order.

    Examples
    --------
    >>> x, t = np.linspace(0, 1, 30), np.linspace(0, 1, 40)
    >>> features = CandidateFeatures({"x": x, "t": t}, DiscoverySettings(degree=2, derivative_order=2))
    >>> features.fit(np.outer(x, t)[..., None]).get_feature_names(["u"])
    ['1', 'u', 'u^2', 'u_x', 'u u_x', 'u_xx', '(u^2)_xx']
    """

    def __init__(
        self,
        coordinates: Mapping[str, Float[np.ndarray, " points"]],
        settings: DiscoverySettings = DiscoverySettings(),  # noqa: B008 - frozen
        chosen: tuple[Candidate, ...] | None = None,
    ) -> None:
        self.coordinates = coordinates
        self.settings = settings
        self.chosen = chosen

    @x_sequence_or_item  # type: ignore[untyped-decorator]
    def fit(self, x_full: Any, y: Any = None) -> CandidateFeatures:
        """Choose the candidates, and check that the data lie on the grid."""
        self.n_features_in_ = x_full[0].shape[-1]
        self.candidates_ = self._candidates(self._field(x_full[0]))
        self.n_output_features_ = len(self.candidates_)
        return self

    @x_sequence_or_item  # type: ignore[untyped-decorator]
    def transform(self, x_full: Any) -> list[Any]:
        """A row a window in weak form, a row a point in strong form."""
        tested = self._strong if self.settings.form == "strong" else lambda x: self._weak(x).columns
        rows = [tested(np.asarray(x, dtype=float)) for x in x_full]
        return [AxesArray(features, comprehend_axes(features)) for features in rows]

    def calc_trajectory(self, diff_method: Any, x: Any, t: Any) -> tuple[Any, Any]:
        """The target of PySINDy's fit: ∫ψ ∂_t u in weak form."""
        if self.settings.form == "strong":
            return super().calc_trajectory(diff_method, x, t)
        return x, AxesArray(self._weak(x).targets, {"ax_sample": 0, "ax_coord": 1})

    def get_feature_names(self, input_features: Sequence[str] | None = None) -> list[str]:
        """The terms as they are written with these names of fields."""
        names = input_features or [f"x{number}" for number in range(self.n_features_in_)]
        return [candidate.name(names, tuple(self.coordinates)) for candidate in self.candidates_]

    def get_spatial_grid(self) -> Float[np.ndarray, "*space axes"] | None:
        """Where PySINDy's predictions lie: rows of the weak form are windows, and lie nowhere."""
        *space, _ = self.coordinates.values()
        if not space or self.settings.form == "weak":
            return None
        return np.stack(np.meshgrid(*space, indexing="ij"), axis=-1)

    def _candidates(self, field: Field) -> tuple[Candidate, ...]:
        if self.chosen is not None:
            return self.chosen
        return candidates(field, self.settings.degree, self.settings.derivative_order)

    def _field(self, x: Any) -> Field:
        data = np.asarray(x, dtype=float)
        if tuple(self.coordinates)[-1] != "t":
            raise InputError(
                f"using candidates in PySINDy: the coordinates are {', '.join(self.coordinates)}; time, named t, is "
                "the last of PySINDy's axes but for the fields: order coordinates and data so"
            )
        return Field({f"x{number}": data[..., number] for number in range(data.shape[-1])}, self.coordinates)

    def _weak(self, x: Any) -> WeakRows:
        field = self._field(x)
        noises = field_noises(field, self.settings.noise)
        windows = self.settings.windows or choose_windows(field, noises, self.settings.rows)
        return weak_rows(field, self._candidates(field), windows, noises)

    def _strong(self, x: Float[np.ndarray, "*grid fields"]) -> Float[np.ndarray, "*grid terms"]:
        values = list(np.moveaxis(x, -1, 0))
        # A law without derivatives holds at any state, on the grid or not: PySINDy's simulation asks for single ones.
        steps = self._field(x).steps() if any(any(c.derivatives) for c in self.candidates_) else (1.0,) * (x.ndim - 1)
        columns = [c.factor * finite_difference(c.monomial(values), c.derivatives, steps) for c in self.candidates_]
        return np.stack(columns, axis=-1)


class GivenCoefficients(BaseOptimizer):  # type: ignore[misc]  # PySINDy asks for the subclass
    """An optimiser of PySINDy that has its coefficients already.

    Parameters
    ----------
    coefficients : (targets, terms)
        What a fit gives, whatever the data.
    """

    def __init__(self, coefficients: Float[np.ndarray, "targets terms"]) -> None:
        super().__init__(unbias=False)
        self.coefficients = coefficients

    def _reduce(self, x: Any, y: Any) -> None:
        self.coef_ = np.array(self.coefficients)


def pysindy_model(equations: Sequence[Equation], field: Field) -> SINDy:
    """Make a model of PySINDy from equations: it prints, predicts, scores, and simulates if there is no space.

    Parameters
    ----------
    equations
        One for ∂/∂t of every field, as ``discover_pde`` and ``discover_ode`` find them.
    field
        Complete fields that they are for, time last; they fix names and grid, and are not fitted.

    Returns
    -------
    pysindy.SINDy
        Fitted; its features are the terms of the equations, by finite differences where they have derivatives.

    Raises
    ------
    InputError
        If a field has no equation or a gap, a term has another field or coordinate, or time is not last.

    Examples
    --------
    >>> from mechlearn.equations.search.discovery import discover_ode
    >>> t = np.linspace(0, 20, 500)
    >>> field = Field({"q": np.sin(t), "p": np.cos(t)}, {"t": t})
    >>> pysindy_model(discover_ode(field, DiscoverySettings(degree=2)).equations, field).print(precision=2)
    (q)' =  1.00 p
    (p)' = -1.00 q
    """
    field.require_complete()
    of_field = {equation.lhs.name: equation for equation in equations}
    missing = [name for name in field.names if f"{name}_t" not in of_field]
    if missing:
        raise InputError(
            f"making a model of PySINDy: there is no equation for {missing[0]}_t, only for {', '.join(of_field)}; "
            "give one for every field"
        )
    found = [{c.term.name: c.value for c in of_field[f"{name}_t"].coefficients} for name in field.names]
    terms = list(dict.fromkeys(term for row in found for term in row))
    if not terms:
        raise InputError("making a model of PySINDy: the equations have no terms; there is nothing to predict")
    chosen = tuple(candidate_of(term, field.names, field.axes) for term in terms)
    coefficients = np.array([[row.get(term, 0.0) for term in terms] for row in found])
    features = CandidateFeatures(field.coordinates, DiscoverySettings(form="strong"), chosen)
    model = SINDy(feature_library=features, optimizer=GivenCoefficients(coefficients))
    data = np.stack(list(field.values.values()), axis=-1)
    return model.fit(data, t=np.asarray(field.coordinates["t"]), feature_names=list(field.names))
