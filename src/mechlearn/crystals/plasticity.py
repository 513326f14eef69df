"""Taylor-type crystal plasticity: histories of slip and dislocation densities, from a known law of interactions.

Every grain of a polycrystal undergoes the strain rate D of the whole (Taylor).  Elastic strains are left out, the
lattice does not turn (small strains), and time is counted by strain: |D| = 1.  For slip system i, with resolved shear
stress τ_i = S : (b_i ⊗ n_i) of the deviatoric stress S,

    slip        γ̇_i = |τ_i / g_i|^m sign(τ_i)           (twins: none for τ_i < 0)
    stress      S such that Σ_i γ̇_i sym(b_i ⊗ n_i) = D
    strength    g_i² = f_i² + Σ_j H_ij ρ_j
    storage     ρ̇_i = Σ_jk K_ijk ρ_j |γ̇_k|

H says how the dislocations of j harden i; K how slip on k makes (or removes) dislocations of i out of those of j: by
multiplication, annihilation and junctions.  Units: g and the friction f in MPa, ρ in 10¹² m⁻², H in MPa²/(10¹² m⁻²).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from mechlearn.crystals.interactions import Orbits, interaction_orbits
from mechlearn.crystals.slip import SlipSystems
from mechlearn.crystals.taylor import DEVIATORIC, taylor_slip
from mechlearn.errors import InputError


@dataclass(frozen=True, eq=False)
class InteractionLaw:
    """The strength and the storage of dislocations on each system, by independent entries.

    Attributes
    ----------
    systems
        The slip systems.
    friction : (families,)
        f of each family's systems, MPa.
    pairs, triples
        The orbits of H's and K's indices.
    strength : (pairs,)
        The independent entries of H, MPa²/(10¹² m⁻²).
    storage : (triples,)
        The independent entries of K, dimensionless.
    """

    systems: SlipSystems
    friction: Float[np.ndarray, " families"]
    pairs: Orbits
    strength: Float[np.ndarray, " pairs"]
    triples: Orbits
    storage: Float[np.ndarray, " triples"]

    def strengths(self, densities: Float[np.ndarray, "... systems"]) -> Float[np.ndarray, "... systems"]:
        """g_i = √(f_i² + Σ_j H_ij ρ_j), MPa."""
        return np.sqrt(self.friction[self.systems.family] ** 2 + densities @ self.pairs.expand(self.strength).T)

    def storage_rates(
        self, densities: Float[np.ndarray, "grains systems"], slip_rates: Float[np.ndarray, "grains systems"]
    ) -> Float[np.ndarray, "grains systems"]:
        """ρ̇_i = Σ_jk K_ijk ρ_j |γ̇_k|, from K's non-zero entries only."""
        (i, j, k), values = self._storage_entries
        rates = np.zeros_like(densities)
        np.add.at(rates.T, i, (values * densities[:, j] * np.abs(slip_rates[:, k])).T)
        return rates

    @property
    def _storage_entries(self) -> tuple[Int[np.ndarray, "3 entries"], Float[np.ndarray, " entries"]]:
        indices, values = self.triples.entries(self.storage)
        return indices.T, values


def planted_law(
    systems: SlipSystems,
    rng: np.random.Generator,
    share_of_strength: float = 0.27,
    share_of_storage: float = 0.003,
) -> InteractionLaw:
    """Draw a sparse law, to be found again from the histories it makes.

    Every system hardens itself and multiplies its own dislocations; the other non-zero entries are drawn at random.
    Entries of K with i = j are annihilation and negative, the others gains and positive, so that no density falls
    below zero.

    Parameters
    ----------
    systems
        The slip systems.
    rng
        The source of random numbers.
    share_of_strength, share_of_storage
        The shares of independent entries of H and K that are not zero, each at least the systems' own; by default those
        that Messner et al. (2017) kept.

    Raises
    ------
    InputError
        A share is not between 0 and 1.

    Examples
    --------
    >>> from mechlearn.crystals import slip_systems
    >>> law = planted_law(slip_systems("hcp"), np.random.default_rng(0))
    >>> int(np.count_nonzero(law.strength)), int(np.count_nonzero(law.storage))
    (41, 15)
    """
    pairs, triples = interaction_orbits(systems, 2), interaction_orbits(systems, 3)
    of_strength = _drawn_orbits(pairs, share_of_strength, rng)
    of_storage = _drawn_orbits(triples, share_of_storage, rng)
    i, j, k = triples.representatives.T
    # The more systems share the slip, the more each unit of it stores: densities then grow alike in every crystal.
    gains = len(systems) * np.where(i != j, 0.6, np.where(j == k, 1.0, -1.0))
    return InteractionLaw(
        systems,
        rng.uniform(5.0, 15.0, size=len(systems.families)),
        pairs,
        of_strength * rng.uniform(3.0, 15.0, size=len(pairs)),
        triples,
        of_storage * gains * rng.uniform(0.5, 1.5, size=len(triples)),
    )


def _drawn_orbits(orbits: Orbits, share: float, rng: np.random.Generator) -> Float[np.ndarray, " orbits"]:
    """1 for each orbit of a system with itself and for as many others as the share asks, else 0."""
    if not 0 <= share <= 1:
        raise InputError(f"drawing a law of interactions: the share of non-zero entries is {share}; give one in 0 to 1")
    own = (orbits.representatives == orbits.representatives[:, :1]).all(axis=1)
    others = max(0, round(share * len(orbits)) - int(own.sum()))
    drawn = own.astype(np.float64)
    drawn[rng.choice(np.flatnonzero(~own), size=others, replace=False)] = 1.0
    return drawn


@dataclass(frozen=True, eq=False)
class SlipHistories:
    """What a simulation or an experiment reads off its grains, at equal steps of strain.

    Attributes
    ----------
    step : float
        The strain between readings.
    cases : (grains,)
        The loading case of each grain: what is independent, and held out together.
    densities : (grains, readings, systems)
        ρ, 10¹² m⁻².
    slip_rates : (grains, readings, systems)
        |γ̇|, per unit of strain.
    strengths : (grains, readings, systems)
        g, MPa.
    """

    step: float
    cases: Int[np.ndarray, " grains"]
    densities: Float[np.ndarray, "grains readings systems"]
    slip_rates: Float[np.ndarray, "grains readings systems"]
    strengths: Float[np.ndarray, "grains readings systems"]

    def with_noise(self, noise: float, rng: np.random.Generator) -> SlipHistories:
        """Add Gaussian noise to every reading; its standard deviation is ``noise`` times that of the system's readings.

        Readings of magnitudes may then be negative: they are left so, for cutting them off would bias their mean.
        """

        def noisy(readings: Float[np.ndarray, "grains readings systems"]) -> Float[np.ndarray, "..."]:
            return readings + noise * readings.std(axis=(0, 1)) * rng.normal(size=readings.shape)

        return replace(
            self,
            densities=noisy(self.densities),
            slip_rates=noisy(self.slip_rates),
            strengths=noisy(self.strengths),
        )


@dataclass(frozen=True)
class LoadingSettings:
    """How many polycrystals are loaded, and how far.

    Attributes
    ----------
    cases : int
        Loading cases: each a strain rate of random direction, with a polycrystal of its own.
    grains : int
        Grains of each polycrystal, of random orientation and with random densities on each system.
    strain : float
        The strain at the end.
    steps : int
        Steps of strain; there is one reading more.
    exponent : float
        m of the slip law.
    densities : (float, float)
        The bounds of the densities at the start, drawn evenly in the logarithm, 10¹² m⁻².
    """

    cases: int = 24
    grains: int = 10
    strain: float = 0.1
    steps: int = 60
    exponent: float = 5.0
    densities: tuple[float, float] = (0.5, 5.0)

    def __post_init__(self) -> None:
        work = "loading a polycrystal"
        for name in ("cases", "grains", "strain", "steps", "exponent"):
            if not getattr(self, name) > 0:
                raise InputError(f"{work}: {name} is {getattr(self, name)}; give a positive number")
        if not 0 < self.densities[0] <= self.densities[1]:
            raise InputError(f"{work}: densities begin between {self.densities}; give two positive bounds, in order")


def taylor_histories(
    law: InteractionLaw, settings: LoadingSettings = LoadingSettings(), *, rng: np.random.Generator
) -> SlipHistories:
    """Load polycrystals of a known law in many directions, and read densities, slip rates and strengths.

    Densities advance by Heun's method (second order in the step of strain).

    Raises
    ------
    InputError
        The systems cannot carry every strain, as basal slip alone.

    Examples
    --------
    >>> from mechlearn.crystals import slip_systems
    >>> rng = np.random.default_rng(0)
    >>> law = planted_law(slip_systems("fcc"), rng)
    >>> taylor_histories(law, LoadingSettings(cases=3, grains=4, steps=10), rng=rng).densities.shape
    (12, 11, 12)
    """
    grains = settings.cases * settings.grains
    cases = np.repeat(np.arange(settings.cases), settings.grains)
    loadings = _random_directions(settings.cases, rng)[cases]
    rotations = _random_rotations(grains, rng)
    strain_rates = rotations.transpose(0, 2, 1) @ loadings @ rotations
    low, high = np.log(settings.densities)
    densities = np.exp(rng.uniform(low, high, size=(grains, len(law.systems))))
    step = settings.strain / settings.steps
    stress = None
    readings = []
    for _ in range(settings.steps + 1):
        strengths = law.strengths(densities)
        slip_rates, stress = taylor_slip(law.systems, strain_rates, strengths, settings.exponent, stress)
        readings.append((densities, np.abs(slip_rates), strengths))
        rates = law.storage_rates(densities, slip_rates)
        ahead = densities + step * rates
        slip_ahead, _ = taylor_slip(law.systems, strain_rates, law.strengths(ahead), settings.exponent, stress)
        densities = densities + 0.5 * step * (rates + law.storage_rates(ahead, slip_ahead))
    columns = (np.stack(column, axis=1) for column in zip(*readings, strict=True))
    return SlipHistories(step, cases, *columns)


def _random_directions(count: int, rng: np.random.Generator) -> Float[np.ndarray, "cases 3 3"]:
    """Strain rates without trace, of norm 1 and random direction in their five dimensions."""
    components = rng.normal(size=(count, 5))
    components /= np.linalg.norm(components, axis=1, keepdims=True)
    return np.einsum("ca,aij->cij", components, DEVIATORIC)


def _random_rotations(count: int, rng: np.random.Generator) -> Float[np.ndarray, "grains 3 3"]:
    """Rotations drawn evenly from SO(3)."""
    return Rotation.random(count, random_state=rng).as_matrix()
