"""Which spatial symmetry do measured fields obey?  Groups compared on windows of the weak form, then the sparse law.

Every group has its complete library of terms for ∂_t of the fields (``field_library``); all are sums of the same
candidates, whose weak form is one number a window.  The rows of all components are made white together, with the
noise that the law itself brings, and freed of the bias that noisy candidates have (``weak_noise``): after that the true
coefficients predict best, so that groups can be judged on regions of space and time left out, by the criterion
that holds for laws of tensors too (``symmetry_evidence``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from mechlearn.equations.data.fields import Field
from mechlearn.equations.data.noise import field_noises
from mechlearn.equations.equation import Coefficient, Equation
from mechlearn.equations.search.discovery import DiscoverySettings, fit_of_set
from mechlearn.equations.search.regression import SparseFit
from mechlearn.equations.search.weak import WeakRows, Windows, choose_windows, weak_rows
from mechlearn.equations.search.weak_noise import NoisyTerms
from mechlearn.equations.search.weak_search import Search
from mechlearn.equations.symmetry.field_library import FieldLibrary, FieldQuantities
from mechlearn.equations.symmetry.groups import SymmetryGroup, symmetry_groups
from mechlearn.equations.symmetry.law_moments import LawMoments
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.equations.symmetry.symmetry_discovery import fewest_first
from mechlearn.equations.symmetry.symmetry_evidence import Comparison, SymmetryEvidence, SymmetrySettings
from mechlearn.errors import InputError

#: What is used unless told: fourth derivatives, squares.
DEFAULTS = DiscoverySettings(degree=2, derivative_order=4)

#: How often rows are made white with the noise of the law found before.
_TURNS = 3


@dataclass(frozen=True, eq=False)
class PdeSymmetryDiscovery:
    """The symmetry of fields, and their equations.

    Attributes
    ----------
    group : str
        The adequate group with the fewest terms.
    evidence : tuple of SymmetryEvidence
        Of every group, from the fewest terms to the most.
    laws : tuple of Equation
        One for every quantity, in terms of the group: ``v_t = 0.1 Δv``.
    equations : tuple of Equation
        The same for every field: ``vx_t = 0.1 vx_xx + 0.1 vx_yy``, which can be simulated.
    library : FieldLibrary
        The terms that the group allows.
    fits : tuple of SparseFit
        The sparse regression of every quantity, over the library's terms for it.
    noise : tuple of float
        Standard deviation of the noise of every field, over that of the field.
    windows : Windows
        Of the weak form.
    """

    group: str
    evidence: tuple[SymmetryEvidence, ...]
    laws: tuple[Equation, ...]
    equations: tuple[Equation, ...]
    library: FieldLibrary
    fits: tuple[SparseFit, ...]
    noise: tuple[float, ...]
    windows: Windows

    def __str__(self) -> str:
        return "\n".join(map(str, self.laws))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the group, the evidence, laws and equations, the noise."""
        return {
            "group": self.group,
            "evidence": [asdict(row) for row in self.evidence],
            "laws": [law.to_dict() for law in self.laws],
            "equations": [equation.to_dict() for equation in self.equations],
            "noise": list(self.noise),
        }


def discover_pde_symmetry(
    field: Field,
    quantities: Sequence[Quantity],
    *,
    groups: Sequence[SymmetryGroup] | None = None,
    orientation: Float[np.ndarray, "d d"] | None = None,
    settings: DiscoverySettings = DEFAULTS,
    symmetry: SymmetrySettings = SymmetrySettings(),  # noqa: B008 - frozen
) -> PdeSymmetryDiscovery:
    """Find the spatial symmetry that the equations of fields obey, and the equations.

    Parameters
    ----------
    field
        Fields over x, y and t, or x, y, z and t, on a uniform grid; windows with gaps are left out.
    quantities
        What the fields are.  ``Quantity("u", "scalar", dimension=2)`` is the field ``u``,
        ``Quantity("v", "vector", dimension=2)`` the fields ``vx`` and ``vy``; others are left out.
    groups
        The groups to choose from; all that are known unless told.
    orientation : (d, d)
        The crystal's axes as rows, in the axes of the grid.
    settings
        Degree and order of the candidates, windows, noise, resamples of the sparse law, seed.
    symmetry
        Blocks, folds and resamples of the comparison of groups, and what counts as adequate.

    Raises
    ------
    InputError
        If fields and quantities do not match, the grid is not uniform, or there are too few windows for the terms.

    Examples
    --------
    Waves that spread alike in all directions, u_t = 0.1 Δu:

    >>> rng = np.random.default_rng(0)
    >>> x = t = np.linspace(0, 6, 40)
    >>> waves = [(k := rng.normal(size=2), rng.uniform(0, 6)) for _ in range(12)]
    >>> u = sum(
    ...     np.exp(-0.1 * k @ k * t) * np.cos(k[0] * x[:, None, None] + k[1] * x[:, None] + phase) for k, phase in waves
    ... )
    >>> found = discover_pde_symmetry(
    ...     Field({"u": u}, {"x": x, "y": x, "t": t}),
    ...     [Quantity("u", "scalar", dimension=2)],
    ...     settings=DiscoverySettings(degree=1, derivative_order=2),
    ... )
    >>> found.group, str(found.laws[0]), str(found.equations[0])
    ('isotropic', 'u_t = 0.1 Δu', 'u_t = 0.1 u_xx + 0.1 u_yy')
    """
    if settings.form != "weak":
        raise InputError("finding the symmetry of fields: only the weak form can tell noise from asymmetry; use it")
    declared = FieldQuantities.declared(field, quantities, settings.degree, settings.derivative_order)
    declared.field.require_change()
    known = symmetry_groups(declared.quantities[0].dimension) if groups is None else groups
    if not known:
        raise InputError("finding the symmetry of fields: there are no groups to choose from; give at least one")
    libraries, alike = fewest_first([declared.library(group, orientation) for group in known])
    noises = field_noises(declared.field, settings.noise)
    windows = settings.windows or choose_windows(declared.field, noises, settings.rows)
    rows, regions = _by_region(weak_rows(declared.field, declared.candidates, windows, noises), symmetry.blocks)
    _check(rows, libraries[-1], len(declared.field.names))
    noisy = _noisy_terms(declared, rows, windows, noises)
    rng = np.random.default_rng(settings.seed)
    with threadpool_limits(1, user_api="blas"):  # as in ``discover_pde``: threads would wait longer than they work
        comparison = _white_comparison(noisy, regions, libraries, symmetry, settings.seed)
        evidence = comparison.evidence([library.group for library in libraries], alike, rng)
        library = next(library for library, row in zip(libraries, evidence, strict=True) if row.adequate)
        fits = tuple(
            _sparse_law(noisy[declared.components(number)], library.of_quantity(number), declared, settings, rng)
            for number in range(len(declared.quantities))
        )
    laws = tuple(_law(declared, library, number, fit) for number, fit in enumerate(fits))
    deviations = (float(np.nanstd(values)) for values in declared.field.values.values())
    return PdeSymmetryDiscovery(
        library.group.name,
        evidence,
        laws,
        _component_equations(declared, library, fits),
        library,
        fits,
        tuple(noise / deviation for noise, deviation in zip(noises, deviations, strict=True)),
        windows,
    )


def _by_region(rows: WeakRows, blocks: int) -> tuple[WeakRows, Int[np.ndarray, " rows"]]:
    """The rows region by region, regions being boxes of neighbouring windows, and the region of each."""
    counts = rows.places.max(axis=0) + 1
    parts = np.ones_like(counts)
    while parts.prod() < min(blocks, len(rows.places)) and (parts < counts).any():
        parts[np.argmax(counts / parts)] += 1
    boxes = np.ravel_multi_index(tuple((rows.places * parts // counts).T), tuple(parts))
    labels = np.unique(boxes, return_inverse=True)[1]
    order = np.argsort(labels, kind="stable")
    return (
        WeakRows(rows.columns[order], rows.targets[order], rows.means[order], rows.places[order]),
        labels[order],
    )


def _noisy_terms(
    declared: FieldQuantities, rows: WeakRows, windows: Windows, noises: Sequence[float]
) -> list[NoisyTerms]:
    """The rows and their noise for the equation of every field."""
    field = declared.field
    return [
        NoisyTerms.of_rows(rows, declared.candidates, number, windows, field.steps(), noises, field.time_axis)
        for number in range(len(field.names))
    ]


def _white_comparison(
    noisy: Sequence[NoisyTerms],
    regions: Int[np.ndarray, " rows"],
    libraries: Sequence[FieldLibrary],
    symmetry: SymmetrySettings,
    seed: int,
) -> Comparison:
    """The groups over rows that are white for the law of the group that is found.

    The noise of the residual depends on the law, so that the two are found in turn.
    """
    stacked = NoisyTerms.stacked(noisy)
    labels = np.tile(regions, len(noisy))
    polynomials = [library.coefficients().reshape(len(library), 1, -1) for library in libraries]
    v = np.append(np.zeros(stacked.columns.shape[1] - 1), 1.0)
    for _ in range(_TURNS):
        columns, target = stacked.whiten(v).calibrated()
        comparison = Comparison(LawMoments.of_columns(columns, target, labels), polynomials, symmetry, noise=1.0)
        v = np.append(-comparison.answer(np.random.default_rng(seed)).ravel(), 1.0)
    return comparison


def _sparse_law(
    noisy: Sequence[NoisyTerms],
    library: FieldLibrary,
    declared: FieldQuantities,
    settings: DiscoverySettings,
    rng: np.random.Generator,
) -> SparseFit:
    """The few terms of one quantity's library that noise asks for (``weak_search``)."""
    components = declared.components(library.terms[0].quantity)
    weights = library.coefficients()[:, components].reshape(len(library), -1).T
    search = Search(NoisyTerms.stacked(noisy).combined(weights))
    return fit_of_set(search, search.run(), settings.regression, rng)


def _law(declared: FieldQuantities, library: FieldLibrary, number: int, fit: SparseFit) -> Equation:
    terms = library.of_quantity(number).terms
    return Equation(
        declared.lhs(number),
        tuple(
            Coefficient(
                terms[place].term,
                float(fit.coefficients[place]),
                float(fit.low[place]),
                float(fit.high[place]),
                float(fit.probability[place]),
            )
            for place in np.flatnonzero(fit.support).tolist()
        ),
    )


def _component_equations(
    declared: FieldQuantities, library: FieldLibrary, fits: Sequence[SparseFit]
) -> tuple[Equation, ...]:
    """The laws field by field; where terms share a candidate its interval is as wide as theirs together."""
    tables = library.coefficients()
    found, low, high, probability = (
        np.concatenate([getattr(fit, name) for fit in fits]) for name in ("coefficients", "low", "high", "probability")
    )
    middle = np.tensordot((low + high) / 2, tables, axes=1)
    half = np.tensordot((high - low) / 2, np.abs(tables), axes=1)
    kept = (found != 0)[:, None, None] & (tables != 0)
    return declared.equations(
        np.tensordot(found, tables, axes=1),
        middle - half,
        middle + half,
        np.max(probability[:, None, None] * kept, axis=0, initial=0.0),
    )


def _check(rows: WeakRows, most: FieldLibrary, components: int) -> None:
    count = len(rows.places) * components
    if count < 2 * len(most):
        raise InputError(
            f"finding the symmetry of fields: {len(rows.places)} windows give {count} numbers for the {len(most)} "
            f"terms of the group {most.group.name}, which needs twice as many; raise rows, lower the degree or the "
            "derivatives' order, or leave that group out"
        )
