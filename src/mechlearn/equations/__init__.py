"""Equations out of data, with their symmetry: sparse regression, ODEs, PDEs, tensor laws; it knows nothing of atoms."""

from mechlearn.equations.data.field_files import read_field, write_field
from mechlearn.equations.data.fields import Field
from mechlearn.equations.data.sample_files import Samples, read_samples
from mechlearn.equations.equation import Coefficient, Equation, Term
from mechlearn.equations.equation_files import read_equations, write_equations
from mechlearn.equations.examples.example_coordinates import coordinate_example
from mechlearn.equations.examples.example_fields import (
    burgers_field,
    kdv_field,
    known_equations,
    lorenz_trajectory,
    reaction_diffusion_field,
)
from mechlearn.equations.latent.coordinate_discovery import CoordinateDiscovery, load_coordinates
from mechlearn.equations.latent.coordinate_settings import CoordinateSettings, LossWeights
from mechlearn.equations.latent.coordinates import discover_coordinates
from mechlearn.equations.motion.simulation import SimulationSettings, simulate
from mechlearn.equations.search.blocks import MomentBlocks
from mechlearn.equations.search.comparison import ComparisonSettings, EquationComparison, compare_equations
from mechlearn.equations.search.discovery import Discovery, DiscoverySettings, discover_ode, discover_pde
from mechlearn.equations.search.elimination import Constraints
from mechlearn.equations.search.estimator import SparseRegressor
from mechlearn.equations.search.regression import (
    RegularisationPath,
    SparseFit,
    SparseSettings,
    sparse_regression,
    sparse_regression_of_moments,
)
from mechlearn.equations.search.weak import Windows
from mechlearn.equations.symmetry.equivariants import EquivariantLibrary, count_equivariants, equivariant_library
from mechlearn.equations.symmetry.field_symmetry import PdeSymmetryDiscovery, discover_pde_symmetry
from mechlearn.equations.symmetry.groups import SymmetryGroup, symmetry_group, symmetry_groups
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.equations.symmetry.symmetry_discovery import SymmetryDiscovery, discover_symmetry
from mechlearn.equations.symmetry.symmetry_evidence import SymmetryEvidence, SymmetrySettings

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
