"""Potentials of any kind behind one protocol, and the labels they give."""

from mechlearn.interactions.ase import AsePotential
from mechlearn.interactions.gpaw import gpaw_potential
from mechlearn.interactions.labelling import absolute_name, label, labeller
from mechlearn.interactions.lammps import LammpsPotential
from mechlearn.interactions.potential import Evaluation, Potential
from mechlearn.interactions.zbl import Zbl

__all__ = [
    "AsePotential",
    "Evaluation",
    "LammpsPotential",
    "Potential",
    "Zbl",
    "absolute_name",
    "gpaw_potential",
    "label",
    "labeller",
]
