"""Interaction tensors from histories of slip: symmetry first, sparsity second, and certainty by loading case.

Both laws are linear in their tensors.  They are fitted in weak form, against test functions φ(t) ≥ 0 that vanish at the
ends of a window and have ∫φ dt = 1, so that noisy readings are averaged and never differentiated:

    strength    ∫φ g_i² dt  = f_i² + Σ_j H_ij ∫φ ρ_j dt
    storage     −∫φ̇ ρ_i dt = Σ_jk K_ijk ∫φ ρ_j |γ̇_k| dt

With H_ij = h_o for all pairs of an orbit o (K alike), the unknowns are the h_o, and the column of h_o is the sum of the
products over the orbit's tuples that begin with i.  Tuples that begin in one family stay in it: the regression falls
into one for each family.  Its samples are made loading case by loading case and summed into normal equations, so that
the full columns (59,319 for 39 systems) never exist.

For each family: LASSO on the normal equations proposes sets of orbits, and those that predict loading cases left out
best, after a refit without penalty, go on to the package's sparse regression, which removes what the data can do
without and gives intervals and probabilities from resampled loading cases.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.crystals.interactions import Orbits
from mechlearn.crystals.lasso import LassoPath, LassoSettings, propose
from mechlearn.crystals.plasticity import SlipHistories
from mechlearn.crystals.reduced_problem import ReducedProblem
from mechlearn.crystals.slip import SlipSystems
from mechlearn.equations import (
    Coefficient,
    Equation,
    MomentBlocks,
    SparseFit,
    SparseSettings,
    Term,
    sparse_regression_of_moments,
)
from mechlearn.errors import InputError


@dataclass(frozen=True)
class InteractionSettings:
    """How interaction tensors are fitted.

    Attributes
    ----------
    window : int
        Readings under a test function φ = (1 − x²)^power; windows overlap by half.
    power : int
        How smoothly φ ends.
    folds : int
        Into how many parts the loading cases are split, to be left out in turn.
    resamples : int
        How many times the loading cases are drawn again for intervals and probabilities.
    lasso : LassoSettings
        Which penalties propose sets of entries.
    """

    window: int = 31
    power: int = 2
    folds: int = 6
    resamples: int = 200
    lasso: LassoSettings = field(default_factory=LassoSettings)

    def __post_init__(self) -> None:
        for name, least in (("window", 3), ("power", 1), ("folds", 2), ("resamples", 1)):
            if getattr(self, name) < least:
                raise InputError(f"fitting interactions: {name} is {getattr(self, name)}; give at least {least}")


@dataclass(frozen=True, eq=False)
class InteractionFit:
    """An interaction tensor by its independent entries, with their certainty.

    Attributes
    ----------
    orbits : Orbits
        Which entries are equal.
    values : (orbits,)
        The independent entries; zero where not needed.
    low, high : (orbits,)
        Their intervals.
    probability : (orbits,)
        The share of resamples that keep the entry.
    constants : (families,)
        The constant of each family: f² for strength, MPa²; zero for storage.
    paths : tuple of LassoPath
        The path of each family.
    held_out_errors : (families,)
        ‖y − Xh‖/‖y‖ of the final set on loading cases left out.
    """

    orbits: Orbits
    values: Float[np.ndarray, " orbits"]
    low: Float[np.ndarray, " orbits"]
    high: Float[np.ndarray, " orbits"]
    probability: Float[np.ndarray, " orbits"]
    constants: Float[np.ndarray, " families"]
    paths: tuple[LassoPath, ...]
    held_out_errors: Float[np.ndarray, " families"]

    @property
    def support(self) -> Bool[np.ndarray, " orbits"]:
        """Which independent entries are not zero."""
        return self.values != 0

    def equations(self, systems: SlipSystems) -> tuple[Equation, ...]:
        """Write the law of the first system of each family; a term is the sum over its orbit's partners.

        Parameters
        ----------
        systems
            Those of the fit.
        """
        firsts = [int(np.flatnonzero(systems.family == family)[0]) for family in range(len(systems.families))]
        return tuple(self._equation(systems, family, first) for family, first in enumerate(firsts))

    def _equation(self, systems: SlipSystems, family: int, first: int) -> Equation:
        """The law of one system, a constant first where there is one."""
        left, coefficients = ("g²", "dρ")[self.orbits.labels.ndim - 2], []
        if self.constants[family] != 0:
            coefficients.append(Coefficient(Term("1"), float(self.constants[family])))
        for orbit in np.flatnonzero(self.support & (self.orbits.representatives[:, 0] == first)):
            tuples = np.argwhere(self.orbits.labels[first] == orbit)
            labels = [systems.labels[index] for index in self.orbits.representatives[orbit, 1:]]
            name = "Σ" * (len(tuples) > 1) + " ".join(
                f"{symbol}{label}" for symbol, label in zip(("ρ", "|dγ|"), labels, strict=False)
            )
            value, low, high = (float(array[orbit]) for array in (self.values, self.low, self.high))
            coefficients.append(Coefficient(Term(name), value, low, high, float(self.probability[orbit])))
        return Equation(Term(f"{left}{systems.labels[first]}"), tuple(coefficients))


def fit_strength(
    histories: SlipHistories,
    systems: SlipSystems,
    orbits: Orbits,
    *,
    rng: np.random.Generator,
    settings: InteractionSettings = InteractionSettings(),
) -> InteractionFit:
    """Find H and the friction of g_i² = f_i² + Σ_j H_ij ρ_j from histories.

    Parameters
    ----------
    histories
        Densities and strengths at equal steps.
    systems, orbits
        The slip systems, and the orbits of pairs that belong together.
    rng
        The source of random numbers for folds and resamples.
    settings
        Test functions, penalties, folds, resamples.

    Raises
    ------
    InputError
        The orbits are not of pairs of these systems, there are fewer loading cases than folds, a reading is not
        finite, or the window is longer than the histories.
    """
    return _fit(strength_problem(histories, systems, orbits, settings), rng, settings)


def fit_storage(
    histories: SlipHistories,
    systems: SlipSystems,
    orbits: Orbits,
    *,
    rng: np.random.Generator,
    settings: InteractionSettings = InteractionSettings(),
) -> InteractionFit:
    """Find K of ρ̇_i = Σ_jk K_ijk ρ_j |γ̇_k| from histories.

    See :func:`fit_strength` for parameters and errors; densities that never change are one more.
    """
    return _fit(storage_problem(histories, systems, orbits, settings), rng, settings)


def strength_problem(
    histories: SlipHistories, systems: SlipSystems, orbits: Orbits, settings: InteractionSettings
) -> ReducedProblem:
    """The linear problem of H, for who wants to solve it otherwise; see :func:`fit_strength`."""
    _check(histories, systems, orbits, 2, settings)
    weights, _ = _test_functions(histories, settings)

    def samples(case: int) -> tuple[Float[np.ndarray, "samples products"], Float[np.ndarray, "samples systems"]]:
        of_case = histories.cases == case
        densities = _averaged(weights, histories.densities[of_case])
        return densities, _averaged(weights, histories.strengths[of_case] ** 2)

    return ReducedProblem(samples, histories.cases, systems, orbits, constant=True)


def storage_problem(
    histories: SlipHistories, systems: SlipSystems, orbits: Orbits, settings: InteractionSettings
) -> ReducedProblem:
    """The linear problem of K, for who wants to solve it otherwise; see :func:`fit_storage`."""
    _check(histories, systems, orbits, 3, settings)
    if (still := np.ptp(histories.densities, axis=1).max(axis=0) == 0).any():
        system = systems.labels[int(np.argmax(still))]
        raise InputError(
            f"fitting interactions of 3 indices: the densities of {system} never change; "
            "load further, or leave its family out"
        )
    weights, slopes = _test_functions(histories, settings)

    def samples(case: int) -> tuple[Float[np.ndarray, "samples products"], Float[np.ndarray, "samples systems"]]:
        of_case = histories.cases == case
        densities, slip_rates = histories.densities[of_case], histories.slip_rates[of_case]
        weighted = weights[:, :, None] * densities[:, None]
        products = weighted.transpose(0, 1, 3, 2) @ slip_rates[:, None]
        return products.reshape(-1, len(systems) ** 2), -_averaged(slopes, densities)

    return ReducedProblem(samples, histories.cases, systems, orbits, constant=False)


def _fit(problem: ReducedProblem, rng: np.random.Generator, settings: InteractionSettings) -> InteractionFit:
    """Fit family by family."""
    values, low, high, probability = np.zeros((4, len(problem.orbits)))
    constants, errors = np.zeros((2, len(problem.systems.families)))
    folds = _folds(problem.cases, settings.folds, rng)
    paths = []
    for family in range(len(constants)):
        path, kept = propose(problem, family, folds, settings.lasso)
        paths.append(path)
        if len(kept) == 0 and not problem.constant:
            errors[family] = 1.0
            continue
        fit = _chosen(problem, family, kept, rng, settings)
        orbits = slice(int(problem.constant), None)
        values[kept], probability[kept] = fit.coefficients[orbits], fit.probability[orbits]
        low[kept], high[kept] = fit.low[orbits], fit.high[orbits]
        constants[family] = fit.coefficients[0] if problem.constant else 0.0
        errors[family] = fit.held_out_error
    return InteractionFit(problem.orbits, values, low, high, probability, constants, tuple(paths), errors)


def _chosen(
    problem: ReducedProblem,
    family: int,
    proposed: Int[np.ndarray, " proposed"],
    rng: np.random.Generator,
    settings: InteractionSettings,
) -> SparseFit:
    """Remove, of the entries that LASSO proposed, those the data can do without."""
    blocks = MomentBlocks.of_batches(problem.batches(family, proposed))
    costs = np.full(blocks.moments.shape[1] - 1, _cost(len(problem.columns(family)), float(blocks.samples.sum())))
    costs[: int(problem.constant)] = 1.0
    chosen = SparseSettings(resamples=settings.resamples, folds=settings.folds)
    return sparse_regression_of_moments(blocks, rng=rng, settings=chosen, costs=costs)


def _cost(candidates: int, samples: float) -> float:
    """What an entry must be worth in terms of ln n: ln n + 2 ln p, picked as it was among p candidates (extended BIC).

    References
    ----------
    J. Chen, Z. Chen, Biometrika 95, 759 (2008).
    """
    return 1 + 2 * np.log(candidates) / np.log(samples)


def _folds(cases: Int[np.ndarray, " grains"], folds: int, rng: np.random.Generator) -> Int[np.ndarray, " cases"]:
    """The fold of each loading case, cases in rising order."""
    return rng.permutation(len(np.unique(cases))) % folds


def _test_functions(
    histories: SlipHistories, settings: InteractionSettings
) -> tuple[Float[np.ndarray, "windows readings"], Float[np.ndarray, "windows readings"]]:
    """φ Δt and φ̇ Δt at the readings of each window; Σ φ Δt = 1, windows overlap by half.

    φ̇ is the central difference of φ.  Summed by parts, Σ φ̇ ρ then is −Σ φ times the central differences of ρ, so that
    both sides of an equation are the same sum over readings, and the only error is that of those differences.
    """
    readings, half = histories.densities.shape[1], (settings.window - 1) / 2
    starts = np.arange(0, readings - settings.window + 1, max(1, (settings.window - 1) // 2))
    x = (np.arange(-1, readings + 1) - starts[:, None] - half) / half
    inside = np.where(np.abs(x) < 1, 1 - x**2, 0.0)
    weights = inside**settings.power
    weights /= weights.sum(axis=1, keepdims=True)
    return weights[:, 1:-1], (weights[:, 2:] - weights[:, :-2]) / (2 * histories.step)


def _averaged(
    weights: Float[np.ndarray, "windows readings"], readings: Float[np.ndarray, "grains readings systems"]
) -> Float[np.ndarray, "samples systems"]:
    """Σ_t w(t) x(t) of every grain and window."""
    return (weights @ readings).reshape(-1, readings.shape[2])


def _check(
    histories: SlipHistories, systems: SlipSystems, orbits: Orbits, order: int, settings: InteractionSettings
) -> None:
    """Refuse what cannot be fitted."""
    work = f"fitting interactions of {order} indices"
    if orbits.labels.shape != (len(systems),) * order:
        raise InputError(f"{work}: the orbits are those of a tensor {orbits.labels.shape}, for {len(systems)} systems")
    if histories.densities.shape[2] != len(systems):
        raise InputError(f"{work}: the histories have {histories.densities.shape[2]} systems, not {len(systems)}")
    if (found := len(np.unique(histories.cases))) < settings.folds:
        raise InputError(f"{work}: {found} loading cases cannot be left out in {settings.folds} folds; give more")
    if (found := histories.densities.shape[1]) < settings.window:
        raise InputError(f"{work}: {found} readings are fewer than the window's {settings.window}; shorten the window")
    for name in ("densities", "slip_rates", "strengths"):
        if not np.isfinite(readings := getattr(histories, name)).all():
            grain, reading, system = np.argwhere(~np.isfinite(readings))[0]
            raise InputError(f"{work}: {name} of grain {grain}, reading {reading}, system {system} is not finite")
