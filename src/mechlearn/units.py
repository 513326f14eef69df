"""Units: eV, Å, ps and K inside; GPa where a person reads a stress.

The constants are CODATA 2018 values, exact since the SI of 2019 but for the atomic mass unit.
"""

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
