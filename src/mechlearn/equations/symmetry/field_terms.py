"""Names for the terms of an equation of fields: Δu, ∇(∇·v), ∇·(v ⊗ v), u_xxxx + u_yyyy.

A candidate D^α(u^a v^b …) is a monomial in ∂ and the fields in which ∂ acts on all that follows.  Names of tensor
algebra (``tensor_words``) with ∂ for a vector are read so:

    |∂|² u² → Δ(u²)      (∂·v) ∂ → ∇(∇·v)      (∂·v) v → ∇·(v ⊗ v)      u ∂ → ∇u

What has no such name is the sum of its components, or, where that is long, its first one in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.equations.symmetry.tensor_words import latex_name, superscript

#: The name of the vector of derivatives among the inputs of a library.
NABLA = "∂"

#: Sums of more components than this are named by their first.
_LONGEST = 4

_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"

#: One factor of a name of tensor algebra: |v|, (a·b) or v, and its power.
_FACTOR = re.compile(
    rf"(?:\|(?P<norm>[^|]+)\||\((?P<left>[^·()|]+)·(?P<right>[^·()|]+)\)|(?P<plain>[^\s()|·⟨⟩×⊗{_RAISED}]+))"
    rf"(?P<power>[{_RAISED}]*)(?:\s+|$)"
)


@dataclass(frozen=True)
class Name:
    """A name as text and as LaTeX, and whether an operator before it needs no brackets."""

    text: str
    latex: str
    single: bool = False


@dataclass(frozen=True)
class _Reading:
    """What the factors of a name are: powers of ∂, what ∂ is contracted with, and what it acts on."""

    laplacians: int
    gradient: Name | None
    contracted: tuple[Name, ...]
    factors: tuple[Name, ...]
    carrier: Name | None

    def name(self) -> Name:
        """∇ Δ^n ∇·…∇·(factors v ⊗ w)."""
        vectors = [*self.contracted, *([self.carrier] if self.carrier else [])]
        tensor = [_joined(vectors, " ⊗ ", r" \otimes ")] if vectors else []
        name = _joined([*self.factors, *tensor], " ", r" \, ")
        if count := len(self.contracted):
            name = _applied(Name("∇·" * count, r"\nabla\cdot" * count), name)
        if self.laplacians:
            order = f"^{2 * self.laplacians}"
            outer = Name(f"Δ{superscript(self.laplacians)}", rf"\nabla{order}")
            if self.gradient:
                outer = Name(self.gradient.text + outer.text, rf"{self.gradient.latex} {outer.latex}")
            return _applied(outer, name)
        return _applied(self.gradient, name) if self.gradient else name


def operator_name(name: str, quantities: Sequence[Quantity]) -> Name | None:
    """Read a name of tensor algebra as operators on fields; None where it is none of these.

    Examples
    --------
    >>> fields = [Quantity("u", "scalar"), Quantity("v", "vector")]
    >>> [operator_name(name, fields).text for name in ("|∂|⁴ u", "|∂|² u²", "|∂|² (∂·v) ∂", "(∂·v) u v", "|v|² ∂")]
    ['Δ²u', 'Δ(u²)', '∇Δ(∇·v)', '∇·(u v ⊗ v)', '∇|v|²']
    >>> operator_name("|∂|² v", fields).latex
    '\\\\nabla^2 \\\\mathbf{v}'
    """
    reading = _read(name, {quantity.name: quantity for quantity in quantities})
    return reading.name() if reading else None


def _read(name: str, kinds: Mapping[str, Quantity]) -> _Reading | None:
    laplacians, turned = 0, False
    gradient: Name | None = None
    carrier: Name | None = None
    contracted: list[Name] = []
    factors: list[Name] = []
    place = 0
    while place < len(name):
        match = _FACTOR.match(name, place)
        if match is None:
            return None
        place, power = match.end(), int(match["power"].translate(str.maketrans(_RAISED, "0123456789")) or 1)
        norm, left, plain = match["norm"], match["left"], match["plain"]
        if norm == NABLA:
            laplacians += power // 2
        elif norm in kinds:
            factors.append(Name(f"|{norm}|{superscript(power)}", rf"|{latex_name(norm)}|^{power}", single=True))
        elif left == NABLA and (vector := _vector(match["right"], kinds)):
            contracted += [vector] * power
        elif plain == "J" and power == 1:
            turned = True
            continue
        elif plain == NABLA and power == 1 and not gradient:
            gradient = Name("J∇", r"\mathbf{J}\nabla") if turned else Name("∇", r"\nabla")
        elif plain in kinds and not kinds[plain].shape:
            latex = plain if len(plain) == 1 else rf"\mathrm{{{plain}}}"
            raised = f"^{{{power}}}" if power > 1 else ""
            factors.append(Name(plain + superscript(power), latex + raised, single=power == 1))
        elif plain in kinds and power == 1 and not carrier:
            carrier = _vector(f"J {plain}" if turned else plain, kinds)
        else:
            return None
        turned = False
    return _Reading(laplacians, gradient, tuple(contracted), tuple(factors), carrier)


def _vector(text: str, kinds: Mapping[str, Quantity]) -> Name | None:
    """v or J v."""
    name = text.removeprefix("J ")
    if name not in kinds or len(kinds[name].shape) != 1:
        return None
    latex = latex_name(name)
    return Name(text, latex, single=True) if text == name else Name(text, rf"\mathbf{{J}} {latex}")


def _joined(names: Sequence[Name], text: str, latex: str) -> Name:
    if not names:
        return Name("1", "1", single=True)
    single = len(names) == 1 and names[0].single
    return Name(text.join(one.text for one in names), latex.join(one.latex for one in names), single)


def _applied(operator: Name, operand: Name) -> Name:
    if operand.single:
        return Name(operator.text + operand.text, f"{operator.latex} {operand.latex}")
    return Name(f"{operator.text}({operand.text})", rf"{operator.latex} \left( {operand.latex} \right)")


def component_sum(parts: Sequence[tuple[float, Name]]) -> Name:
    """A sum of components with coefficients, or its first in angle brackets where it is long.

    Examples
    --------
    >>> component_sum([(1.0, Name("u_xx", "u_{xx}")), (-2.0, Name("u_yy", "u_{yy}"))])
    Name(text='(u_xx − 2 u_yy)', latex='\\\\left( u_{xx} - 2 \\\\, u_{yy} \\\\right)', single=False)
    """
    if len(parts) > _LONGEST:
        first = parts[0][1]
        return Name(f"⟨{first.text}⟩", rf"\langle {first.latex} \rangle")
    text, latex = "", ""
    for value, name in parts:
        number = "" if abs(value) == 1 else f"{abs(value):.4g}"
        between = (" − " if value < 0 else " + ") if text else ("−" if value < 0 else "")
        text += between + f"{number} {name.text}".strip()
        latex += between.replace("−", "-") + (rf"{number} \, " if number else "") + name.latex
    return Name(text, latex) if len(parts) == 1 else Name(f"({text})", rf"\left( {latex} \right)")
