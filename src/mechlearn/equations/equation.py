"""An equation with the certainty of its terms, printed as text, LaTeX or SymPy."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mechlearn.equations.dimensions import product, unit_dimensions
from mechlearn.errors import InputError, installation

if TYPE_CHECKING:
    import sympy

#: One factor of a name: a variable or a parenthesis with a power in it, then a power and derivatives.
_FACTOR = re.compile(
    r"(?:(?P<variable>[^\W\d_][^\W_]*)|\((?P<base>[^\W\d_][^\W_]*)\^(?P<inner>\d+)\))"
    r"(?:_(?P<derivatives>[^\W\d_]+))?(?:\^(?P<power>\d+))?"
)


@dataclass(frozen=True)
class Term:
    """One candidate of an equation: a name for text and SymPy, LaTeX, and the unit it is measured in.

    Attributes
    ----------
    name : str
        Factors separated by blanks, derivatives by subscripts: ``u u_x``, ``(u^2)_xx``, ``1``.
    latex : str
        The same as mathematics; made from the name where empty.
    unit : str or None
        For instance ``m/s^2``; ``1`` has no dimension; None is unknown.

    Examples
    --------
    >>> Term("u u_xx", unit="m/s^2").latex
    'u u_{xx}'
    """

    name: str
    latex: str = ""
    unit: str | None = None

    def __post_init__(self) -> None:
        if not self.latex:
            object.__setattr__(self, "latex", re.sub(r"([_^])([^\W_]{2,})", r"\1{\2}", self.name))
        if self.unit is not None:
            unit_dimensions(self.unit)


@dataclass(frozen=True)
class Coefficient:
    """A term of an equation with its coefficient.

    Attributes
    ----------
    term : Term
        What is multiplied.
    value : float
        The coefficient.
    low, high : float
        Its interval; NaN where it was not measured.
    probability : float
        The share of resamples that keep the term; NaN where it was not measured.
    """

    term: Term
    value: float
    low: float = math.nan
    high: float = math.nan
    probability: float = math.nan


@dataclass(frozen=True)
class Equation:
    """The left-hand side is a sum of terms with coefficients.

    Attributes
    ----------
    lhs : Term
        The left-hand side.
    coefficients : tuple of Coefficient
        The terms that were kept, in the order of the candidates.

    Examples
    --------
    >>> burgers = Equation(
    ...     Term("u_t", unit="m/s^2"),
    ...     (Coefficient(Term("u u_x", unit="m/s^2"), -1.0), Coefficient(Term("u_xx", unit="1/(m s)"), 0.1)),
    ... )
    >>> print(burgers)
    u_t = -1 u u_x + 0.1 u_xx
    >>> print(burgers.latex())
    u_t = -1\\,u u_x + 0.1\\,u_{xx}
    >>> burgers.coefficient_units()
    ('1', 'm^2/s')
    >>> burgers.sympy()
    Eq(Derivative(u(t, x), t), -1.0*u(t, x)*Derivative(u(t, x), x) + 0.1*Derivative(u(t, x), (x, 2)))
    """

    lhs: Term
    coefficients: tuple[Coefficient, ...]

    def __str__(self) -> str:
        return self.text()

    def text(self, digits: int = 4) -> str:
        """The equation on one line, coefficients with so many digits."""
        return f"{self.lhs.name} = {self._sum(digits, ' ', [c.term.name for c in self.coefficients])}"

    def latex(self, digits: int = 4) -> str:
        """The equation for LaTeX's mathematics mode."""
        space = "\\,"
        return f"{self.lhs.latex} = {self._sum(digits, space, [c.term.latex for c in self.coefficients])}"

    def mathml(self, digits: int = 4) -> str:
        """The equation as MathML, which browsers draw; safe whatever its names are."""
        from mechlearn.equations.mathml import mathml

        return mathml([self], digits)

    def sympy(self) -> sympy.Eq:
        """The equation as SymPy's ``Eq``; a name that is no product of powers and derivatives becomes one symbol.

        Raises
        ------
        InputError
            If SymPy is not installed.
        """
        names = [self.lhs.name, *(c.term.name for c in self.coefficients)]
        expression = _Expressions(names)
        terms = (c.value * expression(c.term.name) for c in self.coefficients)
        return expression.library.Eq(
            expression(self.lhs.name), sum(terms, expression.library.Integer(0)), evaluate=False
        )

    def coefficient_units(self) -> tuple[str | None, ...]:
        """The unit of every coefficient, [lhs]/[term]; None where one of the two is unknown."""
        return tuple(product((self.lhs.unit, 1), (c.term.unit, -1)) for c in self.coefficients)

    def require_units(self, expected: Mapping[str, str]) -> None:
        """Refuse an equation whose coefficients do not have the units expected of them, by name of term.

        Raises
        ------
        InputError
            If a unit differs.
        """
        for coefficient, unit in zip(self.coefficients, self.coefficient_units(), strict=True):
            wanted = expected.get(coefficient.term.name)
            if wanted is None or unit is None or unit_dimensions(unit) == unit_dimensions(wanted):
                continue
            raise InputError(
                f"the coefficient of {coefficient.term.name} in the equation of {self.lhs.name} has the unit {unit}, "
                f"not {wanted}; check the units given for the fields and coordinates"
            )

    def to_dict(self) -> dict[str, Any]:
        """A form for JSON: ``lhs`` and ``terms`` of name, coefficient, low, high, probability."""
        return {
            "lhs": self.lhs.name,
            **({} if self.lhs.unit is None else {"lhs_unit": self.lhs.unit}),
            "terms": [
                {
                    "name": c.term.name,
                    "coefficient": c.value,
                    "low": _number(c.low),
                    "high": _number(c.high),
                    "probability": _number(c.probability),
                }
                for c in self.coefficients
            ],
            "latex": self.latex(),
            "units": {
                c.term.name: unit
                for c, unit in zip(self.coefficients, self.coefficient_units(), strict=True)
                if unit is not None
            },
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Equation:
        """Read what ``to_dict`` wrote; the units of the terms are [lhs]/[coefficient], where both are there.

        Raises
        ------
        InputError
            If it is not such a form.
        """
        try:
            lhs, units = Term(data["lhs"], unit=data.get("lhs_unit")), data.get("units") or {}
            return Equation(
                lhs,
                tuple(
                    Coefficient(
                        Term(term["name"], unit=product((lhs.unit, 1), (units.get(term["name"]), -1))),
                        float(term["coefficient"]),
                        *(
                            math.nan if term.get(key) is None else float(term[key])
                            for key in ("low", "high", "probability")
                        ),
                    )
                    for term in data["terms"]
                ),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"reading an equation: {error!r}; it needs lhs and terms, each with name and coefficient"
            ) from error

    def _sum(self, digits: int, between: str, names: list[str]) -> str:
        text = ""
        for coefficient, name in zip(self.coefficients, names, strict=True):
            sign = ("-" if coefficient.value < 0 else "") if not text else (" - " if coefficient.value < 0 else " + ")
            text += f"{sign}{abs(coefficient.value):.{digits}g}" + (f"{between}{name}" if name != "1" else "")
        return text or "0"


class _Expressions:
    """From names to SymPy, with one set of coordinates for all."""

    def __init__(self, names: list[str]) -> None:
        try:
            import sympy
        except ImportError as error:
            raise InputError(f"writing an equation in SymPy needs sympy: {installation('equations')}") from error
        self.library = sympy
        letters = {letter for name in names for match in _matches(name) for letter in match["derivatives"] or ""}
        self.coordinates = [sympy.Symbol(letter) for letter in sorted(letters)]

    def __call__(self, name: str) -> sympy.Expr:
        factors = _matches(name)
        if name == "1":
            return self.library.Integer(1)
        if not factors:
            return self.library.Symbol(name)
        return self.library.Mul(*(self._factor(match) for match in factors))

    def _factor(self, match: re.Match[str]) -> sympy.Expr:
        variable = match["variable"] or match["base"]
        expression = (
            self.library.Function(variable)(*self.coordinates) if self.coordinates else self.library.Symbol(variable)
        )
        expression **= int(match["inner"] or 1)
        for letter in match["derivatives"] or "":
            expression = self.library.Derivative(expression, self.library.Symbol(letter))
        return expression ** int(match["power"] or 1)


def _matches(name: str) -> list[re.Match[str]]:
    """The factors of a name, or none where it is not a product of powers and derivatives."""
    matches = [_FACTOR.fullmatch(factor) for factor in name.split()]
    return [match for match in matches if match is not None] if all(matches) else []


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value
