"""The classical forms of tensor algebra: tr(A) A, A² B + B A², w × v, v·A v, diag(A)², …, with their names.

By Weyl's theorem every polynomial that commutes with all orthogonal matrices is a contraction with δ: products of
matrices ("words"), traces of words, words between vectors, and dyads.  One ε more makes the forms that change sign
under reflections; in the plane it is J, the quarter turn.  A preferred axis n adds the matrix N = n ⊗ n, cubic axes
the map diag(A), which keeps the diagonal.  The forms are candidates only: which of them are independent, and whether
they suffice, is decided where they are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from operator import add
from typing import Final, Literal

import numpy as np
from jaxtyping import Float

from mechlearn.equations.symmetry.quantities import Quantity

#: What the axes of the material add to the words: nothing, a preferred axis, or three like axes at right angles.
Structure = Literal["none", "axis", "cubic"]

_POWERS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

#: Letters of degree zero (N, J) in one word.
_MOST_CONSTANTS: Final = 2


@dataclass(frozen=True, eq=False)
class Form:
    """A piece of a tensor expression: its name, its degree in each input, and its values at sample points.

    Attributes
    ----------
    text, latex : str
        Its name.
    degrees : tuple of int
        In each input.
    parity : int
        1 where a reflection brings an extra change of sign.
    cost : int
        Forms are preferred in order of cost: how many pieces their names have.
    values : (points, ...)
        Scalars (), vectors (d,) or matrices (d, d).
    mirror : (str, str, int)
        Of a matrix: the name of its transpose as text and LaTeX, and the sign before it.
    """

    text: str
    latex: str
    degrees: tuple[int, ...]
    parity: int
    cost: int
    values: Float[np.ndarray, "points ..."]
    mirror: tuple[str, str, int] = ("", "", 1)


@dataclass(frozen=True, eq=False)
class TensorWords:
    """All forms of the output's kind that the inputs make up to some degree.

    Attributes
    ----------
    inputs : tuple of Quantity
        Their kinds.
    output : Quantity
        The kind that the forms are to have.
    most : tuple of int
        The highest degree in each input.
    degree : int
        The highest degree in all.
    structure : str
        ``"none"``, ``"axis"`` or ``"cubic"``.
    """

    inputs: tuple[Quantity, ...]
    output: Quantity
    most: tuple[int, ...]
    degree: int
    structure: Structure = "none"

    def forms(self, points: Mapping[str, Float[np.ndarray, "points ..."]]) -> dict[tuple[int, ...], list[Form]]:
        """The forms by their degrees, the simplest first; ``points`` has full tensors of every input."""
        words = list(self._words(self._letters(points)))
        vectors = self._vectors(points, words)
        scalars = self._scalars(points, words, vectors)
        bases = self._bases(words, vectors, len(next(iter(points.values()))))
        found: dict[tuple[int, ...], list[Form]] = {}
        for factor in self._products(scalars):
            for base in bases:
                form = _times(factor, base)
                if self._within(form):
                    found.setdefault(form.degrees, []).append(form)
        return {degrees: sorted(forms, key=lambda form: form.cost) for degrees, forms in found.items()}

    def _within(self, form: Form) -> bool:
        return self._allows(form.degrees)

    def _allows(self, degrees: tuple[int, ...]) -> bool:
        return sum(degrees) <= self.degree and all(own <= most for own, most in zip(degrees, self.most, strict=True))

    def _one(self, place: int) -> tuple[int, ...]:
        return tuple(int(other == place) for other in range(len(self.inputs)))

    def _letters(self, points: Mapping[str, Float[np.ndarray, "points ..."]]) -> list[Form]:
        """The matrices that words are made of."""
        letters: list[Form] = []
        dimension, count = self.output.dimension, len(next(iter(points.values())))
        for place, quantity in enumerate(self.inputs):
            values, name, latex = points[quantity.name], quantity.name, latex_name(quantity.name)
            one = self._one(place)
            if quantity.kind == "tensor":
                across = f"{name}ᵀ", latex + r"^{\mathsf T}"
                letters.append(Form(name, latex, one, 0, 2, values, (*across, 1)))
                letters.append(Form(*across, one, 0, 3, values.swapaxes(1, 2), (name, latex, 1)))
            elif len(quantity.shape) == 2:
                sign = 1 if quantity.kind == "symmetric tensor" else -1
                letters.append(Form(name, latex, one, 0, 2, values, (name, latex, sign)))
            elif len(quantity.shape) == 1 and dimension == 3:
                text, mathematics, parity = f"[{name}]×", rf"[{latex}]_\times", 1 - quantity.parity
                mirror = (text, mathematics, -1)
                letters.append(Form(text, mathematics, one, parity, 4, _cross(values), mirror))
        if self.structure == "cubic":
            letters += [_diagonal(letter) for letter in letters if sum(letter.degrees) and letter.cost == 2]
            letters += self._diagonal_dyads(points)
        zero = (0,) * len(self.inputs)
        if self.structure == "axis" and dimension == 3:
            axis = np.broadcast_to(np.diag([0.0, 0.0, 1.0]), (count, 3, 3))
            letters.append(Form("N", r"\mathbf{N}", zero, 0, 3, axis, ("N", r"\mathbf{N}", 1)))
        if dimension == 2:
            turned = np.broadcast_to(np.array([[0.0, -1.0], [1.0, 0.0]]), (count, 2, 2))
            letters.append(Form("J", r"\mathbf{J}", zero, 1, 4, turned, ("J", r"\mathbf{J}", -1)))
        return letters

    def _diagonal_dyads(self, points: Mapping[str, Float[np.ndarray, "points ..."]]) -> list[Form]:
        vectors = [place for place, quantity in enumerate(self.inputs) if len(quantity.shape) == 1]
        dyads = []
        for left, right in product(vectors, vectors):
            if left <= right:
                u, v = self.inputs[left], self.inputs[right]
                degrees = tuple(map(sum, zip(self._one(left), self._one(right), strict=True)))
                values = np.eye(u.dimension) * (points[u.name] * points[v.name])[:, None, :]
                latex = rf"\mathrm{{diag}}({latex_name(u.name)} \otimes {latex_name(v.name)})"
                text, parity = f"diag({u.name}⊗{v.name})", (u.parity + v.parity) % 2
                dyads.append(Form(text, latex, degrees, parity, 5, values, (text, latex, 1)))
        return dyads

    def _words(self, letters: Sequence[Form]) -> Iterator[Form]:
        """Products of letters; letters of degree zero do not stand beside themselves, and are few."""
        level: list[tuple[Form, ...]] = [(letter,) for letter in letters]
        while level:
            longer = []
            for word in level:
                yield _word(word)
                for letter in letters:
                    grown = (*word, letter)
                    constants = sum(not sum(each.degrees) for each in grown)
                    repeated = letter is word[-1] and not sum(letter.degrees)
                    degrees = np.sum([each.degrees for each in grown], axis=0)
                    if repeated or constants > _MOST_CONSTANTS or sum(degrees) > self.degree:
                        continue
                    if all(own <= most for own, most in zip(degrees, self.most, strict=True)):
                        longer.append(grown)
            level = longer

    def _vectors(self, points: Mapping[str, Float[np.ndarray, "points ..."]], words: Sequence[Form]) -> list[Form]:
        """Inputs, words times inputs, and the axial vectors of words."""
        plain = [
            Form(quantity.name, latex_name(quantity.name), self._one(place), quantity.parity, 2, points[quantity.name])
            for place, quantity in enumerate(self.inputs)
            if len(quantity.shape) == 1
        ]
        turned = [form for word in words for vector in plain if self._within(form := _applied(word, vector))]
        axial = []
        if self.output.dimension == 3:
            axial = [_axial(word) for word in words if sum(word.degrees) and "×" not in word.text]
        return plain + turned + axial

    def _scalars(
        self,
        points: Mapping[str, Float[np.ndarray, "points ..."]],
        words: Sequence[Form],
        vectors: Sequence[Form],
    ) -> list[Form]:
        """Scalar inputs, traces of words, and products of an input vector with any vector."""
        inputs = [
            Form(quantity.name, latex_name(quantity.name), self._one(place), quantity.parity, 2, points[quantity.name])
            for place, quantity in enumerate(self.inputs)
            if not quantity.shape
        ]
        traces = [
            Form(
                f"tr({word.text})",
                rf"\mathrm{{tr}}({word.latex})",
                word.degrees,
                word.parity,
                word.cost + 1,
                np.trace(word.values, axis1=1, axis2=2),
            )
            for word in words
            if sum(word.degrees)
        ]
        plain = [vector for vector in vectors if vector.cost == 2]
        dots = [form for left in plain for right in vectors if self._within(form := _dot(left, right))]
        return inputs + dots + traces

    def _products(self, scalars: Sequence[Form]) -> Iterator[Form]:
        """1, and all products of scalars up to the degree."""
        inputs = len(self.inputs)
        level: list[tuple[tuple[Form, ...], tuple[int, ...], int]] = [((), (0,) * inputs, 0)]
        while level:
            longer = []
            for factors, degrees, start in level:
                yield _product(factors, inputs)
                for place, scalar in enumerate(scalars[start:], start):
                    grown = tuple(map(add, degrees, scalar.degrees))
                    if self._allows(grown):
                        longer.append(((*factors, scalar), grown, place))
            level = longer

    def _bases(self, words: Sequence[Form], vectors: Sequence[Form], count: int) -> list[Form]:
        """What carries the kind of the output: 1, a vector, or a matrix."""
        rank, zero = len(self.output.shape), (0,) * len(self.inputs)
        if rank == 0:
            return [Form("", "", zero, 0, 0, np.ones(count))]
        if rank == 1:
            return list(vectors)
        dimension = self.output.dimension
        identity = Form(
            "I", r"\mathbf{I}", zero, 0, 1, np.broadcast_to(np.eye(dimension), (count, dimension, dimension))
        )
        dyads = [form for left, right in product(vectors, vectors) if self._within(form := _dyad(left, right))]
        matrices = [identity, *words, *dyads]
        if self.output.kind == "tensor":
            return matrices
        sign = 1.0 if self.output.kind == "symmetric tensor" else -1.0
        parts = [_part(matrix, sign) for matrix in matrices]
        return [part for part in parts if np.abs(part.values).max() > 1e-9]


def superscript(power: int) -> str:
    """A power as raised digits; nothing for the first.

    Examples
    --------
    >>> superscript(3), superscript(1)
    ('³', '')
    """
    return str(power).translate(_POWERS) if power > 1 else ""


def latex_name(name: str) -> str:
    """A name as LaTeX: bold where it is one letter, upright otherwise.

    Examples
    --------
    >>> latex_name("A"), latex_name("rate")
    ('\\\\mathbf{A}', '\\\\mathrm{rate}')
    """
    return rf"\mathbf{{{name}}}" if len(name) == 1 else rf"\mathrm{{{name}}}"


def _sum(left: Form, right: Form) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(left.degrees, right.degrees, strict=True))


def _product(factors: Sequence[Form], inputs: int) -> Form:
    """The product of scalars; 1, without a name, where there are none."""
    text, latex = _powers([(factor.text, factor.latex) for factor in factors])
    degrees = np.sum([factor.degrees for factor in factors], axis=0) if factors else np.zeros(inputs)
    values = np.ones(1)
    for factor in factors:
        values = values * factor.values
    parity, cost = sum(factor.parity for factor in factors) % 2, sum(factor.cost + 1 for factor in factors)
    return Form(text, latex, tuple(int(own) for own in degrees), parity, cost, values)


def _times(factor: Form, base: Form) -> Form:
    """A scalar times a form."""
    shape = (-1,) + (1,) * (base.values.ndim - 1)
    text, latex = f"{factor.text} {base.text}".strip(), f"{factor.latex} {base.latex}".strip()
    values = factor.values.reshape(shape) * base.values
    return Form(text, latex, _sum(factor, base), (factor.parity + base.parity) % 2, factor.cost + base.cost + 1, values)


def _word(letters: Sequence[Form]) -> Form:
    """The product of letters; its transpose is the product of the transposes in reverse."""
    text, latex = _powers([(letter.text, letter.latex) for letter in letters])
    mirrored = [letter.mirror for letter in letters[::-1]]
    across = _powers([(name, mathematics) for name, mathematics, _ in mirrored])
    sign = int(np.prod([sign for _, _, sign in mirrored]))
    values = letters[0].values
    for letter in letters[1:]:
        values = values @ letter.values
    degrees = tuple(int(total) for total in np.sum([letter.degrees for letter in letters], axis=0))
    parity = sum(letter.parity for letter in letters) % 2
    return Form(text, latex, degrees, parity, sum(letter.cost for letter in letters), values, (*across, sign))


def _powers(names: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Names one after another as text and LaTeX, like neighbours written as a power."""
    runs = [(name, len(list(same))) for name, same in groupby(names)]
    # |v|² twice is |v|⁴.
    squares = [2 if name.endswith("²") else 1 for (name, _), _ in runs]
    text = " ".join(
        name.removesuffix("²") + superscript(square * power)
        for ((name, _), power), square in zip(runs, squares, strict=True)
    )
    latex = " ".join(
        name.removesuffix("^2") + (f"^{{{square * power}}}" if square * power > 1 else "")
        for ((_, name), power), square in zip(runs, squares, strict=True)
    )
    return text, latex


def _applied(word: Form, vector: Form) -> Form:
    """M v, or w × v where the word is the matrix of a cross product."""
    text, latex = f"{word.text} {vector.text}", f"{word.latex} {vector.latex}"
    if word.text.startswith("[") and word.text.endswith("]×") and " " not in word.text:
        text = f"{word.text[1:-2]} × {vector.text}"
        latex = word.latex.removeprefix("[").removesuffix(r"]_\times") + rf" \times {vector.latex}"
    values = np.einsum("pij,pj->pi", word.values, vector.values)
    return Form(text, latex, _sum(word, vector), (word.parity + vector.parity) % 2, word.cost + vector.cost, values)


def _dot(left: Form, right: Form) -> Form:
    text = f"|{left.text}|²" if left is right else f"({left.text}·{right.text})"
    latex = rf"|{left.latex}|^2" if left is right else rf"({left.latex} \cdot {right.latex})"
    values = np.einsum("pi,pi->p", left.values, right.values)
    return Form(text, latex, _sum(left, right), (left.parity + right.parity) % 2, left.cost + right.cost, values)


def _dyad(left: Form, right: Form) -> Form:
    sides = [
        (f"({side.text})", f"({side.latex})") if " " in side.text else (side.text, side.latex) for side in (left, right)
    ]
    text, across = " ⊗ ".join(side[0] for side in sides), " ⊗ ".join(side[0] for side in sides[::-1])
    latex = r" \otimes ".join(side[1] for side in sides)
    mirror = (across, r" \otimes ".join(side[1] for side in sides[::-1]), 1)
    values = left.values[:, :, None] * right.values[:, None, :]
    parity, cost = (left.parity + right.parity) % 2, left.cost + right.cost + 1
    return Form(text, latex, _sum(left, right), parity, cost, values, mirror)


def _axial(word: Form) -> Form:
    """The axial vector of a matrix, a_i = ε_ijk M_jk."""
    m = word.values
    values = np.stack([m[:, 1, 2] - m[:, 2, 1], m[:, 2, 0] - m[:, 0, 2], m[:, 0, 1] - m[:, 1, 0]], axis=1)
    return Form(
        f"ax({word.text})", rf"\mathrm{{ax}}({word.latex})", word.degrees, 1 - word.parity, word.cost + 3, values
    )


def _diagonal(letter: Form) -> Form:
    values = np.eye(letter.values.shape[1]) * letter.values
    text, latex = f"diag({letter.text})", rf"\mathrm{{diag}}({letter.latex})"
    return replace(letter, text=text, latex=latex, cost=4, values=values, mirror=(text, latex, 1))


def _part(matrix: Form, sign: float) -> Form:
    """M + Mᵀ or M − Mᵀ, or M itself where it is (anti)symmetric already."""
    transposed = matrix.values.swapaxes(1, 2)
    if np.allclose(matrix.values, sign * transposed, atol=1e-12):
        return matrix
    text, latex, mirrored = matrix.mirror
    positive = sign * mirrored > 0
    return replace(
        matrix,
        text=f"({matrix.text} {'+' if positive else '−'} {text})",
        latex=f"({matrix.latex} {'+' if positive else '-'} {latex})",
        cost=matrix.cost + 2,
        values=matrix.values + sign * transposed,
    )


def _cross(vectors: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3 3"]:
    """[w]× with [w]× v = w × v."""
    return np.cross(vectors[:, None, :], np.eye(3)[None], axis=2).swapaxes(1, 2)
