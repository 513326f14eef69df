"""An equation prints as mathematics, keeps its units, and survives JSON."""

import json
import math

import pytest

from mechlearn.equations import Coefficient, Equation, Term
from mechlearn.equations.dimensions import product, unit_dimensions, unit_text
from mechlearn.errors import InputError

KDV = Equation(
    Term("u_t", unit="m/s^2"),
    (
        Coefficient(Term("u u_x", unit="m/s^2"), -6.0, -6.1, -5.9, 1.0),
        Coefficient(Term("u_xxx", unit="1/(m^2 s)"), -1.0),
        Coefficient(Term("1"), 0.25),
    ),
)


def test_text_and_latex():
    assert KDV.text() == "u_t = -6 u u_x - 1 u_xxx + 0.25"
    assert KDV.latex() == r"u_t = -6\,u u_x - 1\,u_{xxx} + 0.25"
    assert str(Equation(Term("u_t"), ())) == "u_t = 0"


def test_sympy_derives_what_the_name_says():
    sympy = pytest.importorskip("sympy")
    x, t = sympy.symbols("x t")
    u = sympy.Function("u")(t, x)
    right = KDV.sympy().rhs
    assert sympy.simplify(right - (-6.0 * u * u.diff(x) - u.diff(x, 3) + 0.25)) == 0
    conservative = Equation(Term("u_t"), (Coefficient(Term("(u^2)_xx"), 1.0),)).sympy().rhs
    assert sympy.simplify((conservative - (u**2).diff(x, 2)).doit()) == 0
    tensor = Equation(Term("S"), (Coefficient(Term("tr(A²) I"), 2.0),)).sympy()
    assert str(tensor) == "Eq(S, 2.0*tr(A²) I)"


def test_json_goes_there_and_back():
    again = Equation.from_dict(json.loads(json.dumps(KDV.to_dict(), allow_nan=False)))
    assert again.text() == KDV.text()
    assert again.coefficients[0].low == -6.1
    assert math.isnan(again.coefficients[1].probability)
    with pytest.raises(InputError, match="needs lhs and terms"):
        Equation.from_dict({"terms": []})


def test_units_of_coefficients_are_checked():
    assert KDV.coefficient_units() == ("1", "m^3/s", None)
    KDV.require_units({"u_xxx": "m m^2/s"})
    with pytest.raises(InputError, match=r"u_xxx .* has the unit m\^3/s, not m"):
        KDV.require_units({"u_xxx": "m"})


@pytest.mark.parametrize("unit", ["1", "m", "kg m^2/s^2", "1/(m s)", "1/(m s^2)", "m^(1/2)/K"])
def test_units_are_read_as_they_are_written(unit):
    assert unit_text(unit_dimensions(unit)) == unit
    assert product((unit, 1), (unit, -1)) == "1"


@pytest.mark.parametrize("unit", ["m^", "(m", "m)", "3 m"])
def test_units_that_cannot_be_read_are_refused(unit):
    with pytest.raises(InputError, match="the unit"):
        unit_dimensions(unit)
