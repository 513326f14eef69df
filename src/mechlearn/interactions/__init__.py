"""Potentials of any kind behind one protocol, and the labels they give."""

from mechlearn.interactions.ase import AsePotential
from mechlearn.interactions.eam import EamPotential, read_eam
from mechlearn.interactions.elastic_response import (
    ElasticConstants,
    elastic_constants,
    nonaffine_displacements,
    softening,
    softenings,
)
from mechlearn.interactions.gpaw import gpaw_potential
from mechlearn.interactions.labelling import absolute_name, label, labeller
from mechlearn.interactions.lammps import LammpsPotential
from mechlearn.interactions.lammps_external import acting_in_lammps
from mechlearn.interactions.pair import LennardJones, kob_andersen
from mechlearn.interactions.pair_list import PairList
from mechlearn.interactions.pair_point import PairPoint
from mechlearn.interactions.potential import Evaluation, Potential
from mechlearn.interactions.smooth import (
    VOIGT_STRAINS,
    FiniteDifferencePoint,
    FiniteDifferences,
    Hessian,
    SmoothPoint,
    SmoothPotential,
    deformed,
    with_derivatives,
)
from mechlearn.interactions.zbl import Zbl

__all__ = [
    "VOIGT_STRAINS",
    "AsePotential",
    "EamPotential",
    "ElasticConstants",
    "Evaluation",
    "FiniteDifferencePoint",
    "FiniteDifferences",
    "Hessian",
    "LammpsPotential",
    "LennardJones",
    "PairList",
    "PairPoint",
    "Potential",
    "SmoothPoint",
    "SmoothPotential",
    "Zbl",
    "absolute_name",
    "acting_in_lammps",
    "deformed",
    "elastic_constants",
    "gpaw_potential",
    "kob_andersen",
    "label",
    "labeller",
    "nonaffine_displacements",
    "read_eam",
    "softening",
    "softenings",
    "with_derivatives",
]
