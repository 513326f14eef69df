"""Density functional theory with GPAW: plane waves, one density of k-points for all cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from mechlearn.errors import InputError
from mechlearn.interactions.ase import AsePotential

_INSTALL = (
    "install it with: apt-get install g++ libxc-dev libopenblas-dev gpaw-data; CC=g++ pip install gpaw; and "
    "set GPAW_SETUP_PATH to the folder of setups that 'dpkg -L gpaw-data' names"
)


def gpaw_potential(
    *,
    cutoff: float = 500.0,
    kpoint_density: float = 5.0,
    smearing: float = 0.1,
    functional: str = "PBE",
    setups: Mapping[str, str] | None = None,
) -> AsePotential:
    """Make a potential of GPAW: each structure is one self-consistent calculation.

    GPAW finds its atomic data sets by the environment variable ``GPAW_SETUP_PATH``.

    Parameters
    ----------
    cutoff
        Kinetic energy up to which plane waves are taken, eV. Too low a cutoff shows in the stress first: for
        bcc tungsten it is off by 0.6 GPa at 400 eV, by 0.1 GPa at 500 eV.
    kpoint_density
        Points per Å⁻¹ along each reciprocal vector (Γ-centred), so that cells of all sizes are sampled alike.
        Their number is rounded up, and so can jump between cells that differ a little.
    smearing
        Width of the Fermi–Dirac occupation of states, eV. The energies are free energies, consistent with
        the forces.
    functional
        Exchange and correlation, as GPAW calls it.
    setups
        Which data set an element takes where it is not GPAW's own choice, such as ``{"W": "6"}`` for ``W.6``.
        For bcc tungsten the default (14 electrons, 5p among them) gives a lattice parameter of 3.183 Å and a
        bulk modulus of 303 GPa; ``W.6``, whose 5p states are frozen, 3.204 Å and 305 GPa.

    Raises
    ------
    InputError
        GPAW is not installed; or a parameter is out of range.
    """
    for name, value in (("cutoff", cutoff), ("kpoint_density", kpoint_density), ("smearing", smearing)):
        if not value > 0.0:
            raise InputError(f"setting up GPAW: {name} is {value}; give a number above 0")
    if find_spec("gpaw") is None:
        raise InputError(f"setting up GPAW: it is not installed; {_INSTALL}")
    factory = GpawCalculator(cutoff, kpoint_density, smearing, functional, tuple((setups or {}).items()))
    return AsePotential(factory, fresh=True, name="GPAW")


@dataclass(frozen=True)
class GpawCalculator:
    """Makes GPAW calculators; see :func:`gpaw_potential` for the parameters."""

    cutoff: float
    kpoint_density: float
    smearing: float
    functional: str
    setups: tuple[tuple[str, str], ...] = ()

    def __call__(self) -> Any:
        """A calculator for one structure, silent."""
        try:
            from gpaw import GPAW, PW, FermiDirac
        except ImportError as error:
            raise InputError(f"setting up GPAW: {error}; {_INSTALL}") from error
        return GPAW(
            mode=PW(self.cutoff),
            xc=self.functional,
            kpts={"density": self.kpoint_density, "gamma": True},
            occupations=FermiDirac(self.smearing),
            setups=dict(self.setups),
            txt=None,
        )
