"""Equations as MathML: well formed, nothing lost, and nothing let in."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring, tostring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mechlearn.equations import Coefficient, Equation, Term
from mechlearn.equations.mathml import mathml, term_elements

#: What a name may turn into.
ELEMENTS = {"math", "mtable", "mtr", "mtd", "mrow", "mi", "mn", "mo", "mtext", "msub", "msup"}


def drawn(name: str) -> str:
    return "".join(tostring(element, encoding="unicode") for element in term_elements(name))


@pytest.mark.parametrize(
    ("name", "markup"),
    [
        ("u_xx", "<msub><mi>u</mi><mrow><mi>x</mi><mi>x</mi></mrow></msub>"),
        ("E²", "<msup><mi>E</mi><mn>2</mn></msup>"),
        ("E_xx²", "<msup><msub><mi>E</mi><mrow><mi>x</mi><mi>x</mi></mrow></msub><mn>2</mn></msup>"),
        ("z1_t", "<msub><mi>z</mi><mrow><mn>1</mn><mo>,</mo><mi>t</mi></mrow></msub>"),
        ("Δu", '<mi mathvariant="normal">Δ</mi><mi>u</mi>'),
        ("a)(b", "<mtext>a)(b</mtext>"),
    ],
)
def test_names_are_read_as_people_write_them(name: str, markup: str) -> None:
    assert drawn(name) == markup


def test_numbers_carry_their_digits_and_powers_of_ten() -> None:
    equation = Equation(Term("u_t"), (Coefficient(Term("u"), -1.0), Coefficient(Term("1"), 2.5e-7)))
    assert "".join(fromstring(mathml([equation], 3)).itertext()) == "ut=−1.00\u2062u+2.50×10−7"


def test_a_sum_is_bracketed_behind_its_coefficient() -> None:
    equation = Equation(Term("u_t"), (Coefficient(Term("u_xx + u_yy"), 0.5),))
    assert "".join(fromstring(mathml([equation], 2)).itertext()) == "ut=0.50\u2062(uxx+uyy)"


def test_long_equations_go_on_below_and_lose_no_term() -> None:
    terms = tuple(Coefficient(Term(f"⟨E_xx E_yy S{number} e_xx⟩"), 1.0 + number) for number in range(12))
    tree = fromstring(mathml([Equation(Term("S"), terms)]))
    assert len(tree.findall(".//mtr")) > 1
    assert sum(element.text == "S" for element in tree.iter("mi")) == 13


@given(st.text(max_size=30))
@example("\x1f[")
def test_no_name_becomes_markup(name: str) -> None:
    """Whatever a file calls its fields: the page gets mathematics, and the browser nothing to run."""
    equation = Equation(Term(name), (Coefficient(Term(name), 1.0),))
    tree = fromstring(equation.mathml())
    assert {element.tag for element in tree.iter()} <= ELEMENTS
    assert "<script" not in Equation(Term(f"<script>{name}"), ()).mathml()
