"""All terms that a symmetry allows in the equations of fields, over the candidates of the weak form.

A candidate D^α(u^a v^b …) is the monomial ∂^α u^a v^b … in commuting variables, and ∂ turns as a vector does.  So the
polynomial laws between ∂, the fields and one of them (``equivariants``) are the complete and minimal library for
∂_t of that field: of the degree of ∂ an equation has derivatives, of the degrees of the fields their powers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product as every

import numpy as np
from jaxtyping import Float

from mechlearn.equations.data.fields import Field
from mechlearn.equations.dimensions import product as product_of_units
from mechlearn.equations.equation import Coefficient, Equation, Term
from mechlearn.equations.search.library import Candidate, candidates
from mechlearn.equations.symmetry.equivariants import EquivariantTerm, equivariant_terms
from mechlearn.equations.symmetry.field_terms import NABLA, Name, component_sum, operator_name
from mechlearn.equations.symmetry.groups import SymmetryGroup, symmetry_group
from mechlearn.equations.symmetry.polynomials import joined_monomials, joined_power
from mechlearn.equations.symmetry.quantities import AXES, Quantity
from mechlearn.errors import InputError


@dataclass(frozen=True, eq=False)
class FieldTerm:
    """One term of the equation of one quantity.

    Attributes
    ----------
    term : Term
        Its name and unit.
    quantity : int
        Whose time derivative it makes.
    coefficients : (components, candidates)
        Of the candidates in the equations of all components of all quantities.
    """

    term: Term
    quantity: int
    coefficients: Float[np.ndarray, "components candidates"]


@dataclass(frozen=True, eq=False)
class FieldLibrary:
    """The terms that a group allows in the equations of some quantities."""

    group: SymmetryGroup
    terms: tuple[FieldTerm, ...]

    def __len__(self) -> int:
        return len(self.terms)

    def coefficients(self) -> Float[np.ndarray, "terms components candidates"]:
        """Those of all terms."""
        return np.stack([term.coefficients for term in self.terms])

    def of_quantity(self, number: int) -> FieldLibrary:
        """The terms of one equation."""
        return FieldLibrary(self.group, tuple(term for term in self.terms if term.quantity == number))


@dataclass(frozen=True, eq=False)
class FieldQuantities:
    """Which fields make which quantities, and the candidates for their equations.

    Attributes
    ----------
    field : Field
        The fields of all components, quantity by quantity.
    quantities : tuple of Quantity
        What they are.
    degree, derivative_order : int
        Highest degree of the fields, highest order of derivatives.
    candidates : tuple of Candidate
        All of them.
    """

    field: Field
    quantities: tuple[Quantity, ...]
    degree: int
    derivative_order: int
    candidates: tuple[Candidate, ...]

    @staticmethod
    def declared(field: Field, quantities: Sequence[Quantity], degree: int, derivative_order: int) -> FieldQuantities:
        """Find the fields of every quantity: ``u`` of a scalar, ``vx`` and ``vy`` of a vector.

        Raises
        ------
        InputError
            If a field is missing, none is declared, or the space of the grid is not that of a quantity.
        """
        space = sorted(axis for axis in field.axes if axis != "t")
        if space != list(AXES[: len(space)]) or len(space) < 2:
            raise InputError(
                f"finding the symmetry of fields: they have the coordinates {', '.join(field.axes)}; "
                "give fields over x, y and t, or x, y, z and t"
            )
        if not quantities:
            raise InputError("finding the symmetry of fields: no quantity is declared; say what the fields are")
        for quantity in quantities:
            if quantity.dimension != len(space):
                raise InputError(
                    f"finding the symmetry of fields: {quantity.name} is declared in {quantity.dimension} dimensions, "
                    f"the grid has {len(space)}; declare it with dimension={len(space)}"
                )
            missing = [name for name in component_names(quantity) if name not in field.values]
            if missing:
                raise InputError(
                    f"finding the symmetry of fields: {quantity.name}, a {quantity.kind}, needs the fields "
                    f"{', '.join(component_names(quantity))}; {missing[0]} is not among {', '.join(field.names)}"
                )
        names = [name for quantity in quantities for name in component_names(quantity)]
        if len(set(names)) < len(names):
            raise InputError(f"finding the symmetry of fields: two quantities share a field among {', '.join(names)}")
        own = Field({name: field.values[name] for name in names}, field.coordinates, field.units)
        return FieldQuantities(
            own, tuple(quantities), degree, derivative_order, candidates(own, degree, derivative_order)
        )

    def components(self, number: int) -> slice:
        """Where the components of a quantity stand among all."""
        counts = np.cumsum([0, *(len(quantity.indices) for quantity in self.quantities)])
        return slice(int(counts[number]), int(counts[number + 1]))

    def lhs(self, number: int) -> Term:
        """∂_t of a quantity."""
        quantity = self.quantities[number]
        symbol = _symbol(quantity)
        unit = product_of_units((self._unit(quantity), 1), (self.field.units.get("t"), -1))
        return Term(f"{quantity.name}_t", rf"\partial_t {symbol}", unit)

    def library(self, group: SymmetryGroup, orientation: Float[np.ndarray, "d d"] | None = None) -> FieldLibrary:
        """All terms that a group allows, the axes of the crystal being the rows of ``orientation``.

        Raises
        ------
        InputError
            If there are too many unknown coefficients, or the group does not act on a quantity.
        """
        terms = []
        for number in range(len(self.quantities)):
            for term in equivariant_terms(*self._law(number), group, self._degrees, orientation):
                spread = self._spread(term, number, orientation)
                name = self._operators[number].get(_key(spread))
                if name is None:
                    name, spread = self._sum(spread, number)
                terms.append(FieldTerm(Term(name.text, name.latex, self._term_unit(term)), number, spread))
        return FieldLibrary(group, tuple(terms))

    def equations(
        self,
        values: Float[np.ndarray, "components candidates"],
        low: Float[np.ndarray, "components candidates"] | None = None,
        high: Float[np.ndarray, "components candidates"] | None = None,
        probability: Float[np.ndarray, "components candidates"] | None = None,
    ) -> tuple[Equation, ...]:
        """The equation of every field with these coefficients, zeros left out."""
        unknown = np.full_like(values, np.nan)
        tables = [values, *(unknown if table is None else table for table in (low, high, probability))]
        time = tuple(int(axis == "t") for axis in self.field.axes)
        return tuple(
            Equation(
                Candidate(tuple(powers), time).term(self.field),
                tuple(
                    Coefficient(self.candidates[at].term(self.field), *(float(table[row, at]) for table in tables))
                    for at in np.flatnonzero(values[row]).tolist()
                ),
            )
            for row, powers in enumerate(np.eye(len(values), dtype=int).tolist())
        )

    def _law(self, number: int) -> tuple[tuple[Quantity, ...], Quantity]:
        """The inputs and the output of the law for one quantity."""
        output = self.quantities[number]
        return (Quantity(NABLA, "vector", dimension=output.dimension), *self.quantities), output

    @cached_property
    def _degrees(self) -> list[tuple[int, ...]]:
        """In ∂ and the fields; there is no derivative of 1."""
        powers = [own for own in every(*[range(self.degree + 1)] * len(self.quantities)) if sum(own) <= self.degree]
        return [(order, *own) for own in powers for order in range(self.derivative_order + 1 if sum(own) else 1)]

    @cached_property
    def _places(self) -> dict[tuple[tuple[int, ...], tuple[int, ...]], int]:
        return {(one.powers, one.derivatives): at for at, one in enumerate(self.candidates)}

    @cached_property
    def _operators(self) -> list[dict[bytes, Name]]:
        """The names of terms that are operators like Δ, by their coefficients, for every quantity."""
        found: list[dict[bytes, Name]] = []
        for number, output in enumerate(self.quantities):
            names = {}
            for group in ("rotations", "isotropic"):
                own = symmetry_group(group, output.dimension)
                for term in equivariant_terms(*self._law(number), own, self._degrees):
                    if name := operator_name(term.name, self.quantities):
                        names[_key(self._spread(term, number, None))] = name
            found.append(names)
        return found

    def _spread(
        self, term: EquivariantTerm, number: int, orientation: Float[np.ndarray, "d d"] | None
    ) -> Float[np.ndarray, "components candidates"]:
        """A term's coefficients in the axes of the data, over all components and candidates.

        In the crystal's axes x′ = Q x; the law there, y′ = C m(x′), is y = ρ(Qᵀ) C S(Q) m(x).
        """
        inputs, output = self._law(number)
        coefficients = term.coefficients
        if orientation is not None:
            action = joined_power([quantity.representation(orientation) for quantity in inputs], term.degrees)
            coefficients = output.representation(orientation.T) @ (coefficients @ action)
        exponents = joined_monomials([len(quantity.indices) for quantity in inputs], term.degrees)
        space = output.dimension
        spread = np.zeros((len(self.field.names), len(self.candidates)))
        for column, exponent in zip(coefficients.T, exponents.tolist(), strict=True):
            along = dict(zip(AXES, exponent[:space], strict=False))
            derivatives = tuple(along.get(axis, 0) for axis in self.field.axes)
            place = self._places[tuple(exponent[space:]), derivatives]
            spread[self.components(number), place] = column / self.candidates[place].factor
        return spread

    def _sum(
        self, spread: Float[np.ndarray, "components candidates"], number: int
    ) -> tuple[Name, Float[np.ndarray, "components candidates"]]:
        """The name of a term by its components, and the term with a first coefficient of one."""
        spread = spread / spread[np.abs(spread) > 1e-9][0]
        labels = self.quantities[number].indices
        parts = []
        for row, label in zip(spread[self.components(number)], labels, strict=True):
            axes = "".join(AXES[axis] for axis in label)
            for place in np.flatnonzero(np.abs(row) > 1e-9):
                term = self.candidates[place].term(self.field)
                along = (f" e_{axes}", rf" \, \mathbf{{e}}_{{{axes}}}") if axes else ("", "")
                parts.append((float(row[place]), Name(term.name + along[0], term.latex + along[1])))
        return component_sum(parts), spread

    def _unit(self, quantity: Quantity) -> str | None:
        return quantity.unit or self.field.units.get(component_names(quantity)[0])

    def _term_unit(self, term: EquivariantTerm) -> str | None:
        lengths = {self.field.units.get(axis) for axis in self.field.axes if axis != "t"}
        length = next(iter(lengths)) if len(lengths) == 1 else None
        units = [length, *map(self._unit, self.quantities)]
        orders = [-term.degrees[0], *term.degrees[1:]]
        return product_of_units(*((unit, order) for unit, order in zip(units, orders, strict=True) if order))


def component_names(quantity: Quantity) -> tuple[str, ...]:
    """The fields that make a quantity.

    Examples
    --------
    >>> component_names(Quantity("v", "vector", dimension=2)), component_names(Quantity("u", "scalar"))
    (('vx', 'vy'), ('u',))
    """
    return tuple(label.replace("_", "") for label in quantity.labels)


def _key(spread: Float[np.ndarray, "components candidates"]) -> bytes:
    """The same for tables that differ by rounding."""
    return (spread.round(6) + 0.0).tobytes()


def _symbol(quantity: Quantity) -> str:
    name = quantity.name
    if quantity.shape:
        return rf"\mathbf{{{name}}}" if len(name) == 1 else rf"\mathrm{{{name}}}"
    return name if len(name) == 1 else rf"\mathrm{{{name}}}"
