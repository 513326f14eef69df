"""Candidates for an equation of fields: derivatives of monomials, D^α(u^a v^b …).

In weak form a derivative goes over to the test function, which needs it to stand before the whole product.  That is
no loss for first derivatives, u^m u_x = (u^{m+1})_x/(m+1), and these are named as people write them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product as every

import numpy as np
from jaxtyping import Complex, Float

from mechlearn.equations.data.fields import Field
from mechlearn.equations.dimensions import product
from mechlearn.equations.equation import Term
from mechlearn.errors import InputError

_POWER = re.compile(r"(?P<variable>[^\W\d_][^\W_]*)(?:\^(?P<power>\d+))?")
_DERIVATIVE = re.compile(r"(?P<variable>[^\W\d_][^\W_]*)_(?P<letters>[^\W\d_]+)")
_OF_PRODUCT = re.compile(r"\((?P<product>[^()]+)\)_(?P<letters>[^\W\d_]+)")


#: Values of all fields on a grid, one after another.
Fields = Sequence[Float[np.ndarray, "*grid"]] | Float[np.ndarray, " fields *grid"]


@dataclass(frozen=True)
class Candidate:
    """factor · D^derivatives Π fields^powers.

    Attributes
    ----------
    powers : tuple of int
        Of every field.
    derivatives : tuple of int
        Along every coordinate.
    factor : float
        What makes it the term that is named.
    """

    powers: tuple[int, ...]
    derivatives: tuple[int, ...]
    factor: float = 1.0

    def monomial(self, values: Fields) -> Float[np.ndarray, "*grid"]:
        """Π fields^powers."""
        factors = [value for value, power in zip(values, self.powers, strict=True) for _ in range(power)]
        return reduce(np.multiply, factors) if factors else np.ones_like(values[0])

    def wave_factor(self, wave: Float[np.ndarray, " axes *modes"]) -> Complex[np.ndarray, "*modes"]:
        """(ik)^derivatives: what D^derivatives makes of exp(ik·x)."""
        return np.prod([(1j * k) ** order for k, order in zip(wave, self.derivatives, strict=True)], axis=0)

    def slopes(self, values: Fields) -> Iterator[tuple[int, Float[np.ndarray, "*grid"]]]:
        """factor · ∂(Π fields^powers)/∂field, for every field that is in it."""
        for field, power in enumerate(self.powers):
            if power:
                lower = (*self.powers[:field], power - 1, *self.powers[field + 1 :])
                yield field, self.factor * power * Candidate(lower, self.derivatives).monomial(values)

    def name(self, names: Sequence[str], axes: Sequence[str]) -> str:
        """How it is written with these names of fields and coordinates."""
        subscript = "".join(axis * order for axis, order in zip(axes, self.derivatives, strict=True))
        present = [(name, power) for name, power in zip(names, self.powers, strict=True) if power]
        factors = [name + (f"^{power}" if power > 1 else "") for name, power in present]
        match factors:
            case []:
                return "1"
            case _ if not subscript:
                return " ".join(factors)
            case [_] if self.factor != 1.0:
                variable, power = present[0]
                return f"{variable}{'^' + str(power - 1) if power > 2 else ''} {variable}_{subscript}"
            case [only] if present[0][1] == 1:
                return f"{only}_{subscript}"
            case _:
                return f"({'*'.join(factors)})_{subscript}"

    def term(self, field: Field) -> Term:
        """Its name and unit."""
        units = [(field.units.get(name), power) for name, power in zip(field.names, self.powers, strict=True) if power]
        units += [
            (field.units.get(name), -order) for name, order in zip(field.axes, self.derivatives, strict=True) if order
        ]
        return Term(self.name(field.names, field.axes), unit=product(*units))


def candidates(field: Field, degree: int, derivative_order: int) -> tuple[Candidate, ...]:
    """All monomials up to a degree, and their derivatives in space up to an order.

    Parameters
    ----------
    field
        Names of fields and coordinates.
    degree
        Of the monomials, in all fields together.
    derivative_order
        Along all coordinates together; time is not among them.

    Examples
    --------
    >>> x, t = np.arange(4.0), np.arange(3.0)
    >>> field = Field({"u": np.outer(x, t)}, {"x": x, "t": t})
    >>> [candidate.term(field).name for candidate in candidates(field, 2, 2)]
    ['1', 'u', 'u^2', 'u_x', 'u u_x', 'u_xx', '(u^2)_xx']
    """
    time = field.time_axis
    orders = [
        order
        for order in every(*(range(derivative_order + 1 if axis != time else 1) for axis in range(len(field.axes))))
        if sum(order) <= derivative_order
    ]
    powers = [power for power in every(*(range(degree + 1) for _ in field.names)) if sum(power) <= degree]
    found = []
    for order in sorted(orders, key=lambda order: (sum(order), tuple(-k for k in order))):
        for power in sorted(powers, key=lambda power: (sum(power), tuple(-k for k in power))):
            if sum(order) and not sum(power):
                continue
            single = sum(order) == 1 and sum(k > 0 for k in power) == 1
            found.append(Candidate(power, order, 1 / sum(power) if single else 1.0))
    return tuple(found)


def candidate_of(name: str, names: Sequence[str], axes: Sequence[str]) -> Candidate:
    """Read the name of a term: the inverse of ``Candidate.term``.

    Parameters
    ----------
    name
        For instance ``u^2``, ``u u_x``, ``u_xx`` or ``(u*v)_xy``.
    names
        Of the fields.
    axes
        Names of the coordinates.

    Raises
    ------
    InputError
        If it is no derivative of a product of powers of these fields along these coordinates.

    Examples
    --------
    >>> candidate_of("u^2 u_x", ["u"], ["x", "t"])
    Candidate(powers=(3,), derivatives=(1, 0), factor=0.3333333333333333)
    >>> candidate_of("(u*v^2)_xx", ["u", "v"], ["x", "t"])
    Candidate(powers=(1, 2), derivatives=(2, 0), factor=1.0)
    """
    whole = _OF_PRODUCT.fullmatch(name)
    if name == "1":
        powers, letters, factor = Counter[str](), "", 1.0
    elif whole:
        powers, letters, factor = _product(name, re.split(r"[*\s]+", whole["product"])), whole["letters"], 1.0
    else:
        powers, letters, factor = _plain_product(name)
    for kind, found, known in (("field", powers, names), ("coordinate", letters, axes)):
        missing = [one for one in found if one not in known]
        if missing:
            raise InputError(
                f"the term {name}: there is no {kind} {missing[0]} among {', '.join(known)}; "
                "give data that have it, or take the term out of the equation"
            )
    return Candidate(tuple(powers[one] for one in names), tuple(letters.count(axis) for axis in axes), factor)


def _plain_product(name: str) -> tuple[Counter[str], str, float]:
    """Powers, derivatives and factor of ``u^m v^n``, ``u_xx`` or ``u^m u_x`` = (u^{m+1})_x/(m+1)."""
    *others, last = name.split() or [name]
    derivative = _DERIVATIVE.fullmatch(last)
    if derivative is None:
        return _product(name, [*others, last]), "", 1.0
    powers = _product(name, others)
    powers[derivative["variable"]] += 1
    if others and (len(powers) > 1 or len(derivative["letters"]) > 1):
        raise InputError(
            f"the term {name} is no derivative of a product: write what it is a part of, like (u*v)_x or (u^2)_xx"
        )
    return powers, derivative["letters"], 1 / powers.total()


def _product(name: str, factors: Sequence[str]) -> Counter[str]:
    """The powers in a product like ``u^2``, ``v``."""
    powers = Counter[str]()
    for factor in factors:
        match = _POWER.fullmatch(factor)
        if match is None:
            raise InputError(f"the term {name} cannot be read at {factor!r}; write it like u^2, u u_x or (u*v)_xx")
        powers[match["variable"]] += int(match["power"] or 1)
    return powers
