"""Units: eV, Å, ps and K inside; GPa where a person reads a stress.

The constants are CODATA 2018 values, exact since the SI of 2019 but for the atomic mass unit.
"""

from dataclasses import dataclass
from typing import Final

#: Elementary charge in C, hence joules in one electronvolt.
ELEMENTARY_CHARGE: Final = 1.602176634e-19

#: Boltzmann's constant, eV/K.
BOLTZMANN: Final = 8.617333262e-5

#: One eV/Å³ in GPa.
GPA_PER_EV_PER_CUBIC_ANGSTROM: Final = ELEMENTARY_CHARGE * 1e30 / 1e9

#: One bar in eV/Å³.
EV_PER_CUBIC_ANGSTROM_PER_BAR: Final = 1e5 / (ELEMENTARY_CHARGE * 1e30)

#: One unified atomic mass unit in eV·ps²/Å².
ATOMIC_MASS: Final = 1.66053906660e-27 / ELEMENTARY_CHARGE * 1e4


@dataclass(frozen=True)
class Units:
    """What a person reads beside the numbers of a simulation.

    Attributes
    ----------
    length, energy, time, temperature, rate, stress : str
        The names of the units.
    stress_scale : float
        One energy over length³ in the unit of stress.

    Examples
    --------
    >>> METAL.force, REDUCED.force
    ('eV/Å', 'ε/σ')
    """

    length: str
    energy: str
    time: str
    temperature: str
    rate: str
    stress: str
    stress_scale: float

    @property
    def force(self) -> str:
        """Energy over length."""
        return f"{self.energy}/{self.length}"

    @property
    def area(self) -> str:
        """Length², the unit of D²min."""
        return f"{self.length}²"


#: Of interatomic potentials of real materials.
METAL: Final = Units("Å", "eV", "ps", "K", "K/s", "GPa", GPA_PER_EV_PER_CUBIC_ANGSTROM)

#: Of Lennard-Jones mixtures, whose numbers are multiples of ε and σ of one kind of particle.
REDUCED: Final = Units("σ", "ε", "τ", "ε/k", "ε/(k τ)", "ε/σ³", 1.0)
