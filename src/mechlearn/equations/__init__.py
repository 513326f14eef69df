"""Equations out of data, with their symmetry: sparse regression, ODEs, PDEs, tensor laws; it knows nothing of atoms."""

from mechlearn.equations.blocks import MomentBlocks
from mechlearn.equations.discovery import Discovery, DiscoverySettings, discover_ode, discover_pde
from mechlearn.equations.elimination import Constraints
from mechlearn.equations.equation import Coefficient, Equation, Term
from mechlearn.equations.equivariants import EquivariantLibrary, count_equivariants, equivariant_library
from mechlearn.equations.estimator import SparseRegressor
from mechlearn.equations.fields import Field, read_field
from mechlearn.equations.groups import SymmetryGroup, symmetry_group, symmetry_groups
from mechlearn.equations.quantities import Quantity
from mechlearn.equations.regression import (
    RegularisationPath,
    SparseFit,
    SparseSettings,
    sparse_regression,
    sparse_regression_of_moments,
)
from mechlearn.equations.symmetry_discovery import SymmetryDiscovery, discover_symmetry
from mechlearn.equations.symmetry_evidence import SymmetryEvidence, SymmetrySettings
from mechlearn.equations.weak import Windows

__all__ = [
    "Coefficient",
    "Constraints",
    "Discovery",
    "DiscoverySettings",
    "Equation",
    "EquivariantLibrary",
    "Field",
    "MomentBlocks",
    "Quantity",
    "RegularisationPath",
    "SparseFit",
    "SparseRegressor",
    "SparseSettings",
    "SymmetryDiscovery",
    "SymmetryEvidence",
    "SymmetryGroup",
    "SymmetrySettings",
    "Term",
    "Windows",
    "count_equivariants",
    "discover_ode",
    "discover_pde",
    "discover_symmetry",
    "equivariant_library",
    "read_field",
    "sparse_regression",
    "sparse_regression_of_moments",
    "symmetry_group",
    "symmetry_groups",
]
