"""Inputs, outputs and groups that the tests of symmetry go through."""

from mechlearn.equations.symmetry.quantities import Quantity

STRAIN = Quantity("E", "symmetric tensor")
STRESS = Quantity("S", "symmetric tensor")
RATE = Quantity("D", "symmetric tensor")
SPIN = Quantity("W", "antisymmetric tensor")
TENSOR = Quantity("T", "tensor")
VECTOR = Quantity("v", "vector")
FIELD = Quantity("B", "axial vector")
SCALAR = Quantity("s", "scalar")
PSEUDOSCALAR = Quantity("p", "pseudoscalar")
PLANE_STRAIN = Quantity("E", "symmetric tensor", dimension=2)
PLANE_VECTOR = Quantity("v", "vector", dimension=2)
PLANE_SPIN = Quantity("p", "pseudoscalar", dimension=2)

#: Inputs, output, group, degree.
LAWS = [
    ((STRAIN,), STRESS, "isotropic", 3),
    ((STRAIN,), STRESS, "transversely isotropic", 2),
    ((STRAIN,), STRESS, "cubic", 3),
    ((STRAIN,), STRESS, "hexagonal", 3),
    ((STRAIN,), STRESS, "trigonal", 2),
    ((STRAIN,), STRESS, "tetragonal", 2),
    ((STRAIN,), STRESS, "orthotropic", 2),
    ((STRAIN,), STRESS, "monoclinic", 2),
    ((STRAIN,), STRESS, "none", 1),
    ((STRAIN,), SCALAR, "isotropic", 4),
    ((STRAIN,), SCALAR, "cubic", 4),
    ((STRAIN, SPIN, RATE), STRESS, "isotropic", 2),
    ((TENSOR,), TENSOR, "isotropic", 2),
    ((STRAIN, RATE), SPIN, "isotropic", 3),
    ((STRAIN, RATE), FIELD, "isotropic", 3),
    ((VECTOR, FIELD), VECTOR, "isotropic", 3),
    ((VECTOR, FIELD), VECTOR, "rotations", 3),
    ((VECTOR, FIELD), PSEUDOSCALAR, "isotropic", 3),
    ((VECTOR, PSEUDOSCALAR), FIELD, "isotropic", 3),
    ((VECTOR,), VECTOR, "cubic rotations", 3),
    ((VECTOR,), VECTOR, "hexagonal", 3),
    ((VECTOR,), VECTOR, "hexagonal rotations", 3),
    ((PLANE_STRAIN,), PLANE_STRAIN, "isotropic", 3),
    ((PLANE_STRAIN,), PLANE_STRAIN, "rotations", 3),
    ((PLANE_VECTOR, PLANE_SPIN), PLANE_VECTOR, "isotropic", 3),
    ((PLANE_VECTOR,), PLANE_VECTOR, "rotations", 3),
    ((PLANE_VECTOR,), PLANE_VECTOR, "hexagonal", 5),
    ((PLANE_VECTOR,), PLANE_VECTOR, "square", 3),
]


def law_name(law):
    """A readable name of a case for pytest."""
    inputs, output, group, degree = law
    return f"{''.join(one.name for one in inputs)}-{output.name}-{group}-{degree}-{output.dimension}D"
