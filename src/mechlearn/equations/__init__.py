"""Equations out of data, with their symmetry: sparse regression, ODEs, PDEs, tensor laws; it knows nothing of atoms."""

from mechlearn.equations.blocks import MomentBlocks
from mechlearn.equations.comparison import ComparisonSettings, EquationComparison, compare_equations
from mechlearn.equations.coordinate_discovery import CoordinateDiscovery, load_coordinates
from mechlearn.equations.coordinate_settings import CoordinateSettings, LossWeights
from mechlearn.equations.coordinates import discover_coordinates
from mechlearn.equations.discovery import Discovery, DiscoverySettings, discover_ode, discover_pde
from mechlearn.equations.elimination import Constraints
from mechlearn.equations.equation import Coefficient, Equation, Term
from mechlearn.equations.equation_files import read_equations, write_equations
from mechlearn.equations.equivariants import EquivariantLibrary, count_equivariants, equivariant_library
from mechlearn.equations.estimator import SparseRegressor
from mechlearn.equations.example_coordinates import coordinate_example
from mechlearn.equations.example_fields import (
    burgers_field,
    kdv_field,
    known_equations,
    lorenz_trajectory,
    reaction_diffusion_field,
)
from mechlearn.equations.field_files import read_field, write_field
from mechlearn.equations.field_symmetry import PdeSymmetryDiscovery, discover_pde_symmetry
from mechlearn.equations.fields import Field
from mechlearn.equations.groups import SymmetryGroup, symmetry_group, symmetry_groups
from mechlearn.equations.quantities import Quantity
from mechlearn.equations.regression import (
    RegularisationPath,
    SparseFit,
    SparseSettings,
    sparse_regression,
    sparse_regression_of_moments,
)
from mechlearn.equations.sample_files import Samples, read_samples
from mechlearn.equations.simulation import SimulationSettings, simulate
from mechlearn.equations.symmetry_discovery import SymmetryDiscovery, discover_symmetry
from mechlearn.equations.symmetry_evidence import SymmetryEvidence, SymmetrySettings
from mechlearn.equations.weak import Windows

__all__ = [
    "Coefficient",
    "ComparisonSettings",
    "Constraints",
    "CoordinateDiscovery",
    "CoordinateSettings",
    "Discovery",
    "DiscoverySettings",
    "Equation",
    "EquationComparison",
    "EquivariantLibrary",
    "Field",
    "LossWeights",
    "MomentBlocks",
    "PdeSymmetryDiscovery",
    "Quantity",
    "RegularisationPath",
    "Samples",
    "SimulationSettings",
    "SparseFit",
    "SparseRegressor",
    "SparseSettings",
    "SymmetryDiscovery",
    "SymmetryEvidence",
    "SymmetryGroup",
    "SymmetrySettings",
    "Term",
    "Windows",
    "burgers_field",
    "compare_equations",
    "coordinate_example",
    "count_equivariants",
    "discover_coordinates",
    "discover_ode",
    "discover_pde",
    "discover_pde_symmetry",
    "discover_symmetry",
    "equivariant_library",
    "kdv_field",
    "known_equations",
    "load_coordinates",
    "lorenz_trajectory",
    "reaction_diffusion_field",
    "read_equations",
    "read_field",
    "read_samples",
    "simulate",
    "sparse_regression",
    "sparse_regression_of_moments",
    "symmetry_group",
    "symmetry_groups",
    "write_equations",
    "write_field",
]
