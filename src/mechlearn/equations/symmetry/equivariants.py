"""All polynomial laws that a symmetry allows, and no others: complete and minimal libraries of candidate terms.

A law y = f(x₁, x₂, …) has the symmetry of a group when f(g x) = g f(x) for all its elements g.  For polynomials of
degrees (d₁, d₂, …) with coefficients C (components of y × monomials) that reads

    C S(g) = ρ(g) C   for finite generators,      C D(X) = ρ′(X) C   for infinitesimal ones,

S and D the action on monomials (``polynomials``), ρ that on the output (``quantities``).  The library is a basis of
the solutions: named forms of tensor algebra (``tensor_words``) as far as they go, then sums over the group.  Its size
is counted again, independently, by averaging characters over the group (Molien).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import comb, prod

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg, sparse

from mechlearn.equations.dimensions import product as product_of_units
from mechlearn.equations.equation import Term
from mechlearn.equations.symmetry.groups import SymmetryGroup, symmetry_group
from mechlearn.equations.symmetry.polynomials import joined_derivation, joined_monomials, joined_power, monomial_values
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.equations.symmetry.term_names import named_terms
from mechlearn.errors import InputError

#: Unknown coefficients of one set of degrees; beyond, the null space takes minutes and gigabytes.
MOST_UNKNOWNS = 4000

#: Names that terms use for matrices of their own.
RESERVED = ("I", "N", "J")


@dataclass(frozen=True, eq=False)
class EquivariantTerm:
    """One candidate: its name and its polynomial.

    Attributes
    ----------
    name, latex : str
        A form of tensor algebra, or ``⟨E_xx² e_yy⟩``: the sum of this and its images under the group.
    degrees : tuple of int
        In each input.
    coefficients : (components, monomials)
        Of the output's components in the monomials of these degrees.
    """

    name: str
    latex: str
    degrees: tuple[int, ...]
    coefficients: Float[np.ndarray, "components monomials"]


@dataclass(frozen=True, eq=False)
class EquivariantLibrary:
    """The terms that a group allows between given inputs and an output.

    Attributes
    ----------
    inputs : tuple of Quantity
        What the law depends on.
    output : Quantity
        What it gives.
    group : SymmetryGroup
        The symmetry assumed.
    terms : tuple of EquivariantTerm
        Independent, and complete up to the degree.
    orientation : (d, d)
        The crystal's axes as rows, in the axes of the data.
    """

    inputs: tuple[Quantity, ...]
    output: Quantity
    group: SymmetryGroup
    terms: tuple[EquivariantTerm, ...]
    orientation: Float[np.ndarray, "d d"]

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the terms."""
        return tuple(term.name for term in self.terms)

    def equation_terms(self) -> tuple[Term, ...]:
        """The terms as those of an equation, with the units of their inputs."""
        return tuple(
            Term(
                term.name,
                term.latex,
                product_of_units(*((one.unit, d) for one, d in zip(self.inputs, term.degrees, strict=True) if d)),
            )
            for term in self.terms
        )

    @cached_property
    def polynomial(self) -> LawPolynomial:
        """All terms in one table of monomials."""
        degrees = sorted({term.degrees for term in self.terms})
        variables = [len(quantity.indices) for quantity in self.inputs]
        blocks = [joined_monomials(variables, own) for own in degrees]
        starts = np.cumsum([0, *(len(block) for block in blocks)])
        coefficients = np.zeros((len(self.terms), len(self.output.indices), int(starts[-1])))
        for number, term in enumerate(self.terms):
            place = degrees.index(term.degrees)
            coefficients[number, :, starts[place] : starts[place + 1]] = term.coefficients
        exponents = np.concatenate(blocks) if blocks else np.zeros((0, sum(variables)), dtype=np.int64)
        return LawPolynomial(exponents, coefficients)

    def evaluate(
        self, values: Mapping[str, Float[np.ndarray, "samples ..."]]
    ) -> Float[np.ndarray, "samples terms components"]:
        """The components of every term at every sample, in the axes of the data.

        Parameters
        ----------
        values
            By name of input: components (samples, components) or full tensors (samples, d, d).

        Raises
        ------
        InputError
            If an input is missing, has the wrong shape, or another number of samples.
        """
        points = crystal_components(self.inputs, values, self.orientation)
        values_of_monomials = monomial_values(points, self.polynomial.exponents)
        back = self.output.representation(self.orientation.T)
        turned = np.einsum("cd,tdm->tcm", back, self.polynomial.coefficients)
        terms, components, monomials = turned.shape
        # Few monomials enter each term: a sparse product does no work for the others.
        table = sparse.csr_array(turned.reshape(terms * components, monomials))
        return np.asarray((table @ values_of_monomials.T).T).reshape(len(points), terms, components)

    def columns(self, values: Mapping[str, Float[np.ndarray, "samples ..."]]) -> Float[np.ndarray, "rows terms"]:
        """The columns of a regression: one row a component of a sample, weighted so that |y|² is invariant."""
        terms = self.evaluate(values) * np.sqrt(self.output.metric)
        return terms.swapaxes(1, 2).reshape(-1, len(self.terms))

    def target(self, values: Float[np.ndarray, "samples ..."]) -> Float[np.ndarray, " rows"]:
        """The output as the target that belongs to ``columns``."""
        return (self.output.components(values) * np.sqrt(self.output.metric)).ravel()


@dataclass(frozen=True, eq=False)
class LawPolynomial:
    """Polynomials in one table: exponents (monomials, variables), coefficients (terms, components, monomials)."""

    exponents: Int[np.ndarray, "monomials variables"]
    coefficients: Float[np.ndarray, "terms components monomials"]


def equivariant_library(
    inputs: Sequence[Quantity],
    output: Quantity,
    group: SymmetryGroup | str,
    degree: int = 2,
    *,
    highest: Mapping[str, int] | None = None,
    orientation: Float[np.ndarray, "d d"] | None = None,
) -> EquivariantLibrary:
    """Find all polynomial terms up to a degree by which a group lets the inputs make the output.

    Parameters
    ----------
    inputs
        What the law depends on.
    output
        What it gives: invariants for a scalar, equivariant tensors otherwise.
    group
        A group or its name.
    degree
        The highest degree of a term in all inputs together.
    highest
        By name of input: its own highest degree, where that is less.
    orientation : (d, d)
        The axes of the crystal as rows, in the axes of the data; those of the data unless told.

    Raises
    ------
    InputError
        If the group does not act on a quantity, names repeat, or the degree makes too many unknowns.

    References
    ----------
    C. Procesi, Adv. Math. 19, 306 (1976); J. P. Boehler (ed.), *Applications of Tensor Functions in Solid Mechanics*
    (1987).

    Examples
    --------
    >>> strain, stress = Quantity("E", "symmetric tensor"), Quantity("σ", "symmetric tensor", "GPa")
    >>> equivariant_library([strain], stress, "isotropic", 1).names
    ('I', 'E', 'tr(E) I')
    >>> equivariant_library([strain], stress, "cubic", 1).names
    ('I', 'E', 'diag(E)', 'tr(E) I')
    >>> velocity, field = Quantity("v", "vector"), Quantity("B", "axial vector")
    >>> equivariant_library([velocity, field], Quantity("a", "vector"), "isotropic", 2).names
    ('v', 'v × B')
    """
    group = symmetry_group(group, output.dimension) if isinstance(group, str) else group
    most = tuple(min(degree, (highest or {}).get(quantity.name, degree)) for quantity in inputs)
    wanted = [degrees for degrees in product(*(range(own + 1) for own in most)) if sum(degrees) <= degree]
    terms = equivariant_terms(inputs, output, group, wanted, orientation)
    frame = np.eye(output.dimension) if orientation is None else np.asarray(orientation, dtype=float)
    return EquivariantLibrary(tuple(inputs), output, group, terms, frame)


def equivariant_terms(
    inputs: Sequence[Quantity],
    output: Quantity,
    group: SymmetryGroup,
    wanted: Sequence[tuple[int, ...]],
    orientation: Float[np.ndarray, "d d"] | None = None,
) -> tuple[EquivariantTerm, ...]:
    """The terms of the degrees wanted, a degree for every input in each, by rising degree; in the crystal's axes.

    Raises
    ------
    InputError
        As in ``equivariant_library``.
    """
    _check(inputs, output, group, orientation)
    return _terms(tuple(inputs), output, group, tuple(sorted(wanted, key=lambda own: (sum(own), own))))


@lru_cache(maxsize=64)
def _terms(
    inputs: tuple[Quantity, ...], output: Quantity, group: SymmetryGroup, wanted: tuple[tuple[int, ...], ...]
) -> tuple[EquivariantTerm, ...]:
    for degrees in wanted:
        _check_size(inputs, output, degrees)
    spaces = {degrees: equivariant_space(inputs, output, group, degrees) for degrees in wanted}
    most, degree = tuple(map(max, *wanted)) if len(wanted) > 1 else wanted[0], max(map(sum, wanted))
    return tuple(
        EquivariantTerm(name, latex, degrees, coefficients)
        for degrees, name, latex, coefficients in named_terms(inputs, output, group, most, degree, spaces)
    )


def equivariant_space(
    inputs: Sequence[Quantity], output: Quantity, group: SymmetryGroup, degrees: Sequence[int]
) -> Float[np.ndarray, "dimension unknowns"]:
    """An orthonormal basis of the coefficients C that the group allows, each flattened component by component.

    Raises
    ------
    InputError
        If there are more unknowns than can be worked on.
    """
    variables = [len(quantity.indices) for quantity in inputs]
    count = len(joined_monomials(variables, degrees))
    unknowns = count * len(output.indices)
    _check_size(inputs, output, degrees)
    if not group.elements and not group.rotations:
        return np.eye(unknowns)
    ones = sparse.eye_array(count), sparse.eye_array(len(output.indices))
    square = sparse.csr_array((unknowns, unknowns))
    for element in group.elements:
        action = joined_power([quantity.representation(element) for quantity in inputs], degrees)
        broken = sparse.kron(output.representation(element), ones[0]) - sparse.kron(ones[1], action.T)
        square = square + broken.T @ broken
    for rotation in group.rotations:
        action = joined_derivation([quantity.derivative(rotation) for quantity in inputs], degrees)
        broken = sparse.kron(output.derivative(rotation), ones[0]) - sparse.kron(ones[1], action.T)
        square = square + broken.T @ broken
    eigenvalues, vectors = linalg.eigh(square.toarray())
    # Eigenvalues of KᵀK that are not zero are of the order of one: the generators have entries of that order.
    return vectors[:, eigenvalues < 1e-8 * max(1.0, float(eigenvalues[-1]))].T


def count_equivariants(
    inputs: Sequence[Quantity], output: Quantity, group: SymmetryGroup, degrees: Sequence[int]
) -> int:
    """How many terms of these degrees there are, from characters alone: the average of χ_y(g) Π_i h_{d_i}(g).

    h_d, the character of the d-th symmetric power, follows from χ(g), χ(g²), … by Newton's recursion
    d h_d = Σ_k χ(gᵏ) h_{d−k}.

    References
    ----------
    T. Molien, Sitzungsber. Akad. Wiss. Berlin 1152 (1897).

    Examples
    --------
    >>> strain = Quantity("E", "symmetric tensor")
    >>> cubic = symmetry_group("cubic")
    >>> [count_equivariants([strain], strain, cubic, [degree]) for degree in (1, 2)]  # elastic constants
    [3, 9]
    """
    bandwidth = sum(degree * len(one.shape) for degree, one in zip(degrees, inputs, strict=True)) + len(output.shape)
    elements, weights = group.quadrature(bandwidth)
    total = np.array([np.trace(output.representation(element)) for element in elements])
    for quantity, degree in zip(inputs, degrees, strict=True):
        characters = np.array(
            [
                [np.trace(quantity.representation(np.linalg.matrix_power(element, power))) for element in elements]
                for power in range(1, degree + 1)
            ]
        )
        symmetric = [np.ones(len(elements))]
        for order in range(1, degree + 1):
            symmetric.append(sum(characters[k - 1] * symmetric[order - k] for k in range(1, order + 1)) / order)
        total = total * symmetric[degree]
    return round(float(weights @ total))


def crystal_components(
    inputs: Sequence[Quantity],
    values: Mapping[str, Float[np.ndarray, "samples ..."]],
    orientation: Float[np.ndarray, "d d"],
) -> Float[np.ndarray, "samples variables"]:
    """The components of all inputs in the axes of the crystal, side by side.

    Raises
    ------
    InputError
        If an input is missing or has another number of samples.
    """
    missing = [quantity.name for quantity in inputs if quantity.name not in values]
    if missing:
        raise InputError(f"evaluating terms: there are no values of {', '.join(missing)}; give one array an input")
    parts = [
        quantity.components(np.asarray(values[quantity.name])) @ quantity.representation(orientation).T
        for quantity in inputs
    ]
    lengths = {quantity.name: len(part) for quantity, part in zip(inputs, parts, strict=True)}
    if len(set(lengths.values())) > 1:
        raise InputError(f"evaluating terms: the inputs have {lengths} samples; give as many of each")
    return np.concatenate(parts, axis=1)


def _check_size(inputs: Sequence[Quantity], output: Quantity, degrees: Sequence[int]) -> None:
    counts = (
        comb(len(one.indices) + degree - 1, degree) if degree else 1
        for one, degree in zip(inputs, degrees, strict=True)
    )
    unknowns = prod(counts) * len(output.indices)
    if unknowns > MOST_UNKNOWNS:
        raise InputError(
            f"finding the terms of degrees {tuple(degrees)} in {', '.join(one.name for one in inputs)}: {unknowns} "
            f"unknown coefficients, more than {MOST_UNKNOWNS}; lower the degree, or the highest degree of one input"
        )


def _check(
    inputs: Sequence[Quantity],
    output: Quantity,
    group: SymmetryGroup,
    orientation: Float[np.ndarray, "d d"] | None,
) -> None:
    if not inputs:
        raise InputError("making candidate terms: there are no inputs; declare at least one quantity")
    names = [quantity.name for quantity in inputs]
    if len(set(names)) < len(names):
        raise InputError(f"making candidate terms: names repeat among {', '.join(names)}; give each input its own")
    if taken := [name for name in names if name in RESERVED or not name or any(mark in name for mark in " ()[]×")]:
        raise InputError(
            f"making candidate terms: an input is called {taken[0]!r}; give a name without blanks and brackets that is "
            f"not {', '.join(RESERVED)} (the identity, a preferred axis, the quarter turn)"
        )
    for quantity in (*inputs, output):
        if quantity.dimension != group.dimension:
            raise InputError(
                f"making candidate terms: the group {group.name} in {group.dimension} dimensions does not act on "
                f"{quantity.name}, a {quantity.kind} in {quantity.dimension}; declare the same dimension for both"
            )
    if orientation is None:
        return
    square = np.shape(orientation) == (group.dimension, group.dimension)
    if not square or not np.allclose(np.asarray(orientation) @ np.transpose(orientation), np.eye(group.dimension)):
        raise InputError(
            f"orienting the group {group.name}: the axes are not {group.dimension} perpendicular unit vectors; "
            "give a rotation matrix whose rows are the crystal's axes"
        )
