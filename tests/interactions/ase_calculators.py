"""Calculators for the tests, importable by name."""

from __future__ import annotations

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

NOT_CALLABLE = 3


class Smeared(Calculator):
    """Gives an energy, a free energy and forces, but no stress."""

    implemented_properties = ("energy", "free_energy", "forces")
    made = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        self.results = {
            "energy": 1.0,
            "free_energy": 2.0,
            "forces": np.full((len(self.atoms), 3), 0.5),
        }


class Failing(Smeared):
    """Fails on structures of more than one atom."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):  # type: ignore[no-untyped-def]
        if len(atoms) > 1:
            raise RuntimeError("did not converge\nin 333 steps")
        super().calculate(atoms, properties, system_changes)


class NotANumber(Smeared):
    """Gives an energy that is not finite to structures of more than one atom."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        if len(atoms) > 1:
            self.results["forces"][0, 0] = np.nan


def copper() -> EMT:
    return EMT()
