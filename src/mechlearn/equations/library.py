"""Candidates for an equation of fields: derivatives of monomials, D^α(u^a v^b …).

In weak form a derivative goes over to the test function, which needs it to stand before the whole product.  That is
no loss for first derivatives, u^m u_x = (u^{m+1})_x/(m+1), and these are named as people write them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as every

import numpy as np
from jaxtyping import Float

from mechlearn.equations.dimensions import product
from mechlearn.equations.equation import Term
from mechlearn.equations.fields import Field


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

    def monomial(self, values: Sequence[Float[np.ndarray, "*grid"]]) -> Float[np.ndarray, "*grid"]:
        """Π fields^powers."""
        powers = [value**power for value, power in zip(values, self.powers, strict=True) if power]
        return np.prod(powers, axis=0) if powers else np.ones_like(values[0])

    def term(self, field: Field) -> Term:
        """Its name and unit."""
        subscript = "".join(name * order for name, order in zip(field.axes, self.derivatives, strict=True))
        present = [(name, power) for name, power in zip(field.names, self.powers, strict=True) if power]
        factors = [name + (f"^{power}" if power > 1 else "") for name, power in present]
        match factors:
            case []:
                name = "1"
            case _ if not subscript:
                name = " ".join(factors)
            case [_] if self.factor != 1.0:
                variable, power = present[0]
                name = f"{variable}{'^' + str(power - 1) if power > 2 else ''} {variable}_{subscript}"
            case [only] if present[0][1] == 1:
                name = f"{only}_{subscript}"
            case _:
                name = f"({'*'.join(factors)})_{subscript}"
        units = [(field.units.get(name), power) for name, power in present]
        units += [
            (field.units.get(name), -order) for name, order in zip(field.axes, self.derivatives, strict=True) if order
        ]
        return Term(name, unit=product(*units))


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
