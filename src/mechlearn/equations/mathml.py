"""Equations as MathML, which browsers draw without any script.

Names of terms are read as people write them: blanks for products, ``_xx`` for derivatives or components, ``^2`` or
``²`` for powers, brackets that may carry both.  They may come from anyone's files: all text is put in as text, never as
markup, and a name whose brackets do not match stands as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, tostring

if TYPE_CHECKING:
    from mechlearn.equations.equation import Equation

_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_CLOSING: Final = {"(": ")", "[": "]", "⟨": "⟩"}
_TOKEN: Final = re.compile(
    r"(?P<name>[^\W\d_ΔΣ⁰¹²³⁴-⁹]+)(?P<index>\d*)|(?P<number>\d+(?:\.\d+)?)|(?P<raised>[⁰¹²³⁴-⁹]+)|\^(?P<power>\d+)"
    r"|_(?P<subscript>[^\W_⁰¹²³⁴-⁹]+)|(?P<blank>\s+)|(?P<sign>.)",
    re.DOTALL,
)
#: The sign of a product that is not seen, but read aloud.
_TIMES: Final = "\u2062"
#: About so many characters fit on a line of a page.
_LINE: Final = 88

#: Characters that XML has no place for, such as controls.
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def mathml(equations: Sequence[Equation], digits: int = 4) -> str:
    """Write equations below each other as one piece of MathML, long ones on several lines.

    Parameters
    ----------
    equations
        Each begins a line.
    digits
        Significant digits of the coefficients.

    Examples
    --------
    >>> from mechlearn.equations import Coefficient, Equation, Term
    >>> drawn = mathml([Equation(Term("u_t"), (Coefficient(Term("u"), -0.5),))], 2)
    >>> "<mo>=</mo>" in drawn, '<mo form="prefix">−</mo><mn>0.50</mn>' in drawn
    (True, True)
    """
    table = Element("mtable")
    for equation in equations:
        left = [_cell(*term_elements(equation.lhs.name)), _cell(_leaf("mo", "="))]
        for line in _lines(equation, digits):
            table.append(_parent("mtr", *left, _cell(*line)))
            left = [_cell(), _cell()]
    formula = _parent("math", table)
    formula.set("display", "block")
    return tostring(formula, encoding="unicode")


def term_elements(name: str) -> list[Element]:
    """Read the name of a term as elements of MathML.

    Examples
    --------
    >>> [tostring(element, encoding="unicode") for element in term_elements("(u^2)_x")]
    ['<msub><mrow><mo>(</mo><msup><mi>u</mi><mn>2</mn></msup><mo>)</mo></mrow><mi>x</mi></msub>']
    """
    name = "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in name)
    tokens = list(_TOKEN.finditer(name))
    elements, used = _row(tokens, 0)
    return elements if used == len(tokens) else [_leaf("mtext", name)]


def _row(tokens: Sequence[re.Match[str]], at: int) -> tuple[list[Element], int]:
    """The elements up to a closing bracket or the end, and the place of it."""
    elements: list[Element] = []
    product = False
    while at < len(tokens):
        token, sign = tokens[at], tokens[at]["sign"]
        raised = token["power"] or (token["raised"] or "").translate(_SUPERSCRIPTS)
        if sign in _CLOSING.values():
            break
        if token["blank"]:
            product = bool(elements) and elements[-1].tag != "mo"
        elif raised and elements:
            elements[-1] = _parent("msup", elements[-1], _leaf("mn", raised))
        elif token["subscript"] and elements:
            elements[-1] = _subscripted(elements[-1], token["subscript"])
        else:
            if product and (not sign or sign in _CLOSING):
                elements.append(_times())
            product = False
            if sign in _CLOSING:
                inside, at = _row(tokens, at + 1)
                if at == len(tokens) or tokens[at]["sign"] != _CLOSING[sign]:
                    return [], -1
                elements.append(_parent("mrow", _leaf("mo", sign), *inside, _leaf("mo", _CLOSING[sign])))
            else:
                elements.append(_atom(token))
        at += 1
    return elements, at


def _atom(token: re.Match[str]) -> Element:
    """A variable, a number or a sign."""
    if token["name"]:
        name = _leaf("mi", token["name"])
        return _parent("msub", name, _leaf("mn", token["index"])) if token["index"] else name
    if token["number"]:
        return _leaf("mn", token["number"])
    if token[0] in "Δ∇Σ":
        return _leaf("mi", token[0], mathvariant="normal")
    return _times() if token[0] in "*" else _leaf("mo", token[0].replace("-", "−"))


def _subscripted(element: Element, letters: str) -> Element:
    """Derivatives or components, a letter each; after a comma where the variable has a number."""
    signs = [_leaf("mn" if letter.isdigit() else "mi", letter) for letter in letters]
    if element.tag == "msub" and element[1].tag == "mn":
        signs = [element[1], _leaf("mo", ","), *signs]
        element = element[0]
    return _parent("msub", element, *(signs if len(signs) == 1 else [_parent("mrow", *signs)]))


def _lines(equation: Equation, digits: int) -> Iterator[list[Element]]:
    """The right-hand side, broken before a sign where it grows too long."""
    line: list[Element] = []
    length, first = 0, True
    for coefficient in equation.coefficients:
        name, value = coefficient.term.name, coefficient.value
        if line and length + len(name) > _LINE:
            yield line
            line, length = [], 0
        if value < 0 or not first:
            sign = _leaf("mo", "−" if value < 0 else "+")
            if not line:
                sign.set("form", "prefix")
            line.append(sign)
        line += _number(abs(value), digits)
        if name != "1":
            line += [_times(), *_factor(name)]
        length, first = length + len(name) + digits + 4, False
    yield line or [_leaf("mn", "0")]


def _factor(name: str) -> list[Element]:
    """A term as a factor: a sum in brackets."""
    elements = term_elements(name)
    if any(element.tag == "mo" and element.text in ("+", "−") for element in elements):
        return [_parent("mrow", _leaf("mo", "("), *elements, _leaf("mo", ")"))]
    return elements


def _number(value: float, digits: int) -> list[Element]:
    """So many significant digits, times a power of ten where the number is very large or small."""
    mantissa, _, exponent = f"{value:#.{digits}g}".partition("e")
    number = [_leaf("mn", mantissa.rstrip("."))]
    if exponent:
        power = _leaf("mn", f"{int(exponent)}".replace("-", "−"))
        number += [_leaf("mo", "×"), _parent("msup", _leaf("mn", "10"), power)]
    return number


def _times() -> Element:
    return _leaf("mo", _TIMES, lspace="0", rspace="0.17em")


def _cell(*children: Element) -> Element:
    return _parent("mtd", *children)


def _parent(tag: str, *children: Element) -> Element:
    element = Element(tag)
    element.extend(children)
    return element


def _leaf(tag: str, text: str, **attributes: str) -> Element:
    element = Element(tag, attributes)
    element.text = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
    return element
