"""What a glass is made of and how it is cooled."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from jaxtyping import Int

from mechlearn.errors import InputError
from mechlearn.interactions import EamPotential, LennardJones, kob_andersen, read_eam
from mechlearn.units import BOLTZMANN

#: The name of the Kob–Andersen mixture among potentials.
KOB_ANDERSEN: Final = "kob-andersen"


@dataclass(frozen=True)
class Liquid:
    """The melt that a glass is quenched from.

    Attributes
    ----------
    temperature : float
        K.
    duration : float
        How long it is kept there, ps.
    """

    temperature: float = 2000.0
    duration: float = 100.0


@dataclass(frozen=True)
class Quench:
    """How the melt is cooled.

    Attributes
    ----------
    rate : float
        K/s.
    temperature : float
        Where cooling ends, K.
    pressure : float or None
        Of the melt and throughout, GPa; None keeps the volume.
    window : (float, float) or None
        Two temperatures, K, between which the rate holds; above and below it cools at ``fast_rate``.  A melt finds its
        places by itself and a glass no longer does: what is saved there can be spent in between.  None: one rate.
    fast_rate : float
        K/s.
    """

    rate: float = 1e12
    temperature: float = 300.0
    pressure: float | None = 0.0
    window: tuple[float, float] | None = None
    fast_rate: float = 1e14


@dataclass(frozen=True)
class Swaps:
    """Monte Carlo swaps of unlike atoms while the melt cools: a way to better relaxed glasses.

    Attributes
    ----------
    per_atom : float
        Swaps tried in a round, for each atom.
    every : int
        Steps between rounds.
    """

    per_atom: float = 20.0
    every: int = 25


@dataclass(frozen=True)
class GlassRecipe:
    """How glasses are prepared: every number that a specimen depends on, but for the seed.

    Temperatures, times, rates and pressures of the Kob–Andersen mixture are in ε_AA/k_B, τ, ε_AA/(k_B τ) and
    ε_AA/σ_AA³; see :meth:`kob_andersen`.

    Attributes
    ----------
    composition : str
        Elements with their percentages, ``"Cu64Zr36"``.
    atoms : int
        In each specimen.
    potential : str
        An EAM file (``.eam.alloy``, ``.eam.fs``): a path, or the name of one that comes with LAMMPS; or
        ``"kob-andersen"``.
    liquid, quench : Liquid, Quench
    swaps : Swaps or None
        None for plain cooling.
    timestep : float or None
        Of the dynamics, ps; by default 0.002 (0.005 τ for the Kob–Andersen mixture).
    volume_per_atom : float or None
        At the start, Å³; by default that of the elements' crystals and a tenth more.
    largest_crystalline_share : float
        A specimen with a larger share of crystalline atoms is refused.
    pressure_at_rest : float or None
        To which the cell of the minimised glass swells or shrinks, GPa; None keeps the cell of the last temperature.

    Raises
    ------
    InputError
        If the composition does not sum to 100, or a number is out of range.

    Examples
    --------
    >>> recipe = GlassRecipe(atoms=500, quench=Quench(rate=1e13))
    >>> recipe.counts, recipe.steps
    ({'Cu': 320, 'Zr': 180}, 135000)
    """

    composition: str = "Cu64Zr36"
    atoms: int = 10_000
    potential: str = "CuZr_mm.eam.fs"
    liquid: Liquid = field(default_factory=Liquid)
    quench: Quench = field(default_factory=Quench)
    swaps: Swaps | None = None
    timestep: float | None = None
    volume_per_atom: float | None = None
    largest_crystalline_share: float = 0.1
    pressure_at_rest: float | None = None

    def __post_init__(self) -> None:
        percentages(self.composition)
        quench, swaps = self.quench, self.swaps
        positive = {
            "atoms": self.atoms,
            "liquid temperature": self.liquid.temperature,
            "liquid duration": self.liquid.duration,
            "quench rate": quench.rate,
            "quench temperature": quench.temperature,
            "fast quench rate": quench.fast_rate,
            "volume per atom": self.volume_per_atom,
            "time step": self.timestep,
            "number of swaps": None if swaps is None else swaps.per_atom,
            "number of steps between swaps": None if swaps is None else swaps.every,
        }
        for name, value in positive.items():
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"preparing glasses: the {name} is {value}; give a positive number")
        ladder = [self.liquid.temperature, *(quench.window or ()), quench.temperature]
        if ladder != sorted(ladder, reverse=True) or ladder[0] == ladder[-1]:
            raise InputError(f"preparing glasses: the temperatures {ladder} do not fall; give the melt's first")
        if swaps is not None and len(percentages(self.composition)) < 2:
            raise InputError(f"preparing glasses: {self.composition} has one element; leave the swaps out")

    @classmethod
    def kob_andersen(cls, atoms: int = 1000, rate: float = 1e-4, duration: float = 500.0) -> GlassRecipe:
        """The glass of Kob and Andersen at its density 1.2, from T = 1 to 0.05, in its own units."""
        return cls(
            composition="Ni80P20",
            atoms=atoms,
            potential=KOB_ANDERSEN,
            liquid=Liquid(1.0, duration),
            quench=Quench(rate, 0.05, None),
            volume_per_atom=1.0 / 1.2,
        )

    @property
    def counts(self) -> dict[str, int]:
        """How many atoms of each element: the percentages, rounded so that they sum."""
        shares = percentages(self.composition)
        exact = np.array(list(shares.values())) * self.atoms / 100.0
        numbers = np.floor(exact).astype(int)
        numbers[np.argsort(numbers - exact, kind="stable")[: self.atoms - numbers.sum()]] += 1
        return dict(zip(shares, numbers.tolist(), strict=True))

    @property
    def model(self) -> GlassModel:
        """The interactions, read when first asked for.

        Raises
        ------
        InputError
            There is no such file, or it does not know an element.
        """
        model = _model(self.potential, tuple(percentages(self.composition)))
        return model if self.timestep is None else replace(model, timestep=self.timestep)

    @property
    def steps(self) -> int:
        """How many time steps a specimen takes; each costs about 2 µs an atom on one core with EAM."""
        return sum(self.model.steps(duration) for duration in self.durations)

    @property
    def durations(self) -> tuple[float, ...]:
        """Of the melt and of each leg of the cooling, ps."""
        return self.liquid.duration, *(leg.duration for leg in self.cooling)

    @property
    def cooling(self) -> tuple[CoolingLeg, ...]:
        """The legs of the cooling: one, or one above, one in and one below the window of the quench."""
        quench, first, last = self.quench, self.liquid.temperature, self.quench.temperature
        slow, fast = (rate * self.model.seconds_per_time for rate in (quench.rate, quench.fast_rate))
        if quench.window is None:
            return (CoolingLeg(first, last, (first - last) / slow),)
        hot, cold = quench.window
        ends = ((first, hot, fast), (hot, cold, slow), (cold, last, fast))
        return tuple(CoolingLeg(start, end, (start - end) / pace) for start, end, pace in ends if start > end)


@dataclass(frozen=True)
class CoolingLeg:
    """A leg of the cooling, at one rate.

    Attributes
    ----------
    start, end : float
        Temperatures, K.
    duration : float
        ps.
    """

    start: float
    end: float
    duration: float


@dataclass(frozen=True, eq=False)
class GlassModel:
    """A potential with derivatives, and the units in which LAMMPS moves its atoms.

    Attributes
    ----------
    potential : EamPotential or LennardJones
        What moves the atoms of the melt, minimises and is sheared; LAMMPS's type ``n`` is its ``n``-th element.
    units : str
        LAMMPS's, ``"metal"`` or ``"lj"``.
    timestep : float
        ps.
    seconds_per_time : float
        What one ps is in the unit of time of a rate.
    pressure_unit : float
        One GPa in LAMMPS's unit.
    boltzmann : float
        k_B, eV/K.
    """

    potential: EamPotential | LennardJones
    units: str
    timestep: float
    seconds_per_time: float
    pressure_unit: float
    boltzmann: float

    @property
    def elements(self) -> tuple[str, ...]:
        """In the order of LAMMPS's types."""
        return self.potential.elements

    @property
    def masses(self) -> tuple[float, ...]:
        """Of the elements; 1 in units of Lennard-Jones."""
        if self.units == "lj":
            return (1.0,) * len(self.elements)
        return tuple(float(atomic_masses[atomic_numbers[element]]) for element in self.elements)

    @property
    def numbers(self) -> Int[np.ndarray, " elements"]:
        """Atomic numbers of the elements."""
        return np.array([atomic_numbers[element] for element in self.elements])

    @property
    def cutoff(self) -> float:
        """Å."""
        return float(self.potential.functions.cutoff)

    def types(self, counts: dict[str, int]) -> Int[np.ndarray, " atoms"]:
        """LAMMPS's types of so many atoms of each element, in order."""
        return np.repeat([self.elements.index(element) + 1 for element in counts], list(counts.values()))

    def steps(self, duration: float) -> int:
        """How many time steps a duration takes, at least one."""
        return max(1, round(duration / self.timestep))


def percentages(composition: str) -> dict[str, float]:
    """The percentages of the elements of a composition.

    Raises
    ------
    InputError
        If it cannot be read, names an element twice, or does not sum to 100.

    Examples
    --------
    >>> percentages("Cu64Zr36")
    {'Cu': 64.0, 'Zr': 36.0}
    """
    parts = re.findall(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)", composition)
    readable = "".join(symbol + number for symbol, number in parts) == composition and parts
    known = all(symbol in atomic_numbers for symbol, _ in parts)
    if not readable or not known or len({symbol for symbol, _ in parts}) < len(parts):
        raise InputError(f"preparing glasses: the composition {composition!r} is none; write it as 'Cu64Zr36'")
    shares = {symbol: float(number) for symbol, number in parts}
    if abs(sum(shares.values()) - 100.0) > 1e-9:
        raise InputError(
            f"preparing glasses: the percentages of {composition} sum to {sum(shares.values()):g}; make them sum to 100"
        )
    return shares


@lru_cache(maxsize=4)
def _model(potential: str, elements: tuple[str, ...]) -> GlassModel:
    if potential != KOB_ANDERSEN:
        return GlassModel(read_eam(potential, elements), "metal", 0.002, 1e-12, 1e4, BOLTZMANN)
    mixture = kob_andersen()
    if set(elements) - set(mixture.elements):
        raise InputError(
            f"preparing glasses: the elements {', '.join(elements)} are not those of the Kob–Andersen mixture; "
            "give Ni80P20 (its particles A and B)"
        )
    return GlassModel(mixture, "lj", 0.005, 1.0, 1.0, 1.0)
