"""What PySINDy makes of the same fields with the same candidates, where it is installed."""

from __future__ import annotations

import importlib.util
import warnings
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mechlearn.equations import DiscoverySettings, Field
from mechlearn.equations.search.library import Candidate

if TYPE_CHECKING:
    from jaxtyping import Float

#: PySINDy's weak form has so many domains, and its STLSQ this threshold; neither is tuned.
DOMAINS: Final = 500
THRESHOLD: Final = 0.05


def pysindy_is_there() -> bool:
    """Whether the extra ``equations`` is installed."""
    return importlib.util.find_spec("pysindy") is not None


def pysindy_terms(field: Field, settings: DiscoverySettings, *, seed: int) -> dict[str, dict[str, float]] | None:
    """Coefficients that PySINDy's weak form and STLSQ find, by left-hand side and term.

    Every monomial is given to it as a field of its own, so that its candidates are ours, D^α(u^a v^b …).  Its domains
    are drawn at random: ``seed`` sets NumPy's global state, from which it draws them, and which is then put back.

    Parameters
    ----------
    field
        Complete, with one coordinate of space or none.
    settings
        Degree and order of the candidates.
    seed
        Of the domains.

    Returns
    -------
    dict or None
        None where PySINDy is not installed, the field has gaps, or space has two dimensions, which would take too long.
    """
    complete = all(np.isfinite(values).all() for values in field.values.values())
    if len(field.axes) > 2 or not complete or not pysindy_is_there():
        return None
    before = np.random.get_state()  # noqa: NPY002 - where PySINDy draws its domains from
    np.random.seed(seed)  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _fitted(field, settings)
    finally:
        np.random.set_state(before)  # noqa: NPY002


def _fitted(field: Field, settings: DiscoverySettings) -> dict[str, dict[str, float]]:
    import pysindy

    monomials = _monomials(len(field.names), settings.degree)
    values = [np.moveaxis(array, field.time_axis, -1) for array in field.values.values()]
    data = np.stack([Candidate(powers, ()).monomial(values) for powers in monomials], axis=-1)
    space = [points for name, points in field.coordinates.items() if name != "t"]
    grid = np.stack(np.meshgrid(*space, field.coordinates["t"], indexing="ij"), axis=-1)
    order = settings.derivative_order if space else 0
    library = pysindy.WeakPDELibrary(
        pysindy.PolynomialLibrary(degree=1, include_bias=False),
        derivative_order=order,
        spatiotemporal_grid=grid if space else field.coordinates["t"],
        K=DOMAINS,
        include_interaction=False,
        include_bias=False,
    )
    rows = np.asarray(library.fit_transform(data))
    targets = np.asarray(library.convert_u_dot_integral(data))
    optimizer = pysindy.STLSQ(threshold=THRESHOLD)
    optimizer.fit(rows, targets[:, : len(field.names)])
    axes = tuple(name for name in field.axes if name != "t")
    return {
        f"{name}_t": _terms(coefficients, monomials, order, field.names, axes)
        for name, coefficients in zip(field.names, np.atleast_2d(optimizer.coef_), strict=True)
    }


def _monomials(fields: int, degree: int) -> list[tuple[int, ...]]:
    """Powers of all monomials of degree 1 or more, the fields themselves first."""
    powers = [power for power in product(range(degree + 1), repeat=fields) if 0 < sum(power) <= degree]
    return sorted(powers, key=lambda power: (sum(power), tuple(-p for p in power)))


def _terms(
    coefficients: Float[np.ndarray, " terms"],
    monomials: list[tuple[int, ...]],
    order: int,
    names: tuple[str, ...],
    axes: tuple[str, ...],
) -> dict[str, float]:
    """PySINDy has all monomials, then all their first derivatives, and so on; named and scaled as ours are."""
    found: dict[str, Any] = {}
    for (derivative, powers), value in zip(product(range(order + 1), monomials), coefficients, strict=True):
        if value:
            single = derivative == 1 and sum(power > 0 for power in powers) == 1
            term = Candidate(powers, (derivative,) if axes else (), 1 / sum(powers) if single else 1.0)
            found[term.name(names, axes)] = float(value) / term.factor
    return found
