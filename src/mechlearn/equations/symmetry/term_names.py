"""A readable basis of the terms that a group allows.

The space of terms is known (``equivariants``); here it gets a basis that can be read.  Named forms of tensor algebra
come first, the simplest before the others, each kept where it adds to those before.  What they do not span is filled
from the reduced row echelon form of the space: for groups of signed permutations that is the sums over orbits of
monomials, which are then named by the monomial that leads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int

from mechlearn.equations.symmetry.groups import SymmetryGroup, symmetry_group
from mechlearn.equations.symmetry.polynomials import joined_monomials, monomial_values
from mechlearn.equations.symmetry.quantities import AXES, Quantity
from mechlearn.equations.symmetry.tensor_words import Form, Structure, TensorWords, superscript

_SMALL = 1e-7

#: A degree, a name, its LaTeX, and the coefficients (components, monomials).
NamedTerm = tuple[tuple[int, ...], str, str, Float[np.ndarray, "components monomials"]]


def named_terms(
    inputs: Sequence[Quantity],
    output: Quantity,
    group: SymmetryGroup,
    most: tuple[int, ...],
    degree: int,
    spaces: Mapping[tuple[int, ...], Float[np.ndarray, "dimension unknowns"]],
) -> Iterator[NamedTerm]:
    """Name a basis of every space of terms (flattened coefficients, by the degrees in the inputs)."""
    structure = _structure(group)
    variables = [len(quantity.indices) for quantity in inputs]
    exponents = {degrees: joined_monomials(variables, degrees) for degrees in spaces}
    forms: dict[tuple[int, ...], list[Form]] = {}
    points = _points(sum(variables), max(len(table) for table in exponents.values()))
    if structure is not None:
        ends = np.cumsum(variables)[:-1]
        tensors = {
            quantity.name: quantity.tensors(part)
            for quantity, part in zip(inputs, np.split(points, ends, axis=1), strict=True)
        }
        forms = TensorWords(tuple(inputs), output, most, degree, structure).forms(tensors)
    for degrees, space in spaces.items():
        chosen = _Independent(space)
        design = np.linalg.pinv(monomial_values(points, exponents[degrees]))
        for form in forms.get(degrees, []):
            if chosen.complete:
                break
            coefficients = _coefficients(form, design, output)
            if chosen.adds(coefficients.ravel()):
                yield degrees, form.text or "1", form.latex or "1", coefficients
        if not chosen.complete:
            yield from _orbit_sums(chosen, space, degrees, exponents[degrees], inputs, output)


class _Independent:
    """Collects members of a space that are independent of those collected before (Gram–Schmidt)."""

    def __init__(self, space: Float[np.ndarray, "dimension unknowns"]) -> None:
        self.space = space
        self.directions: list[Float[np.ndarray, " dimension"]] = []

    @property
    def complete(self) -> bool:
        return len(self.directions) == len(self.space)

    def adds(self, vector: Float[np.ndarray, " unknowns"]) -> bool:
        """Keep a vector if it lies in the space and is new."""
        inside = self.space @ vector
        size = np.linalg.norm(vector)
        if size < _SMALL or np.linalg.norm(vector - inside @ self.space) > _SMALL * size:
            return False
        rest = inside / size
        for _ in range(2):  # once more for what rounding left
            for direction in self.directions:
                rest = rest - direction * (direction @ rest)
        length = np.linalg.norm(rest)
        if length < 1e-5:
            return False
        self.directions.append(rest / length)
        return True


def _structure(group: SymmetryGroup) -> Structure | None:
    """Which tensor words suit the group; None where the components themselves read best."""
    if group.dimension == 2:
        return "none" if group.rotations or len(group.closure()) > 4 else None
    if len(group.rotations) == 3:
        return "none"
    if symmetry_group("cubic").contains(group) and not symmetry_group("tetragonal").contains(group):
        return "cubic"
    if symmetry_group("transversely isotropic").contains(group) and not symmetry_group("orthotropic").contains(group):
        return "axis"
    return None


def _points(variables: int, monomials: int) -> Float[np.ndarray, "points variables"]:
    """Points enough to read coefficients off values; any would do, so that the seed is no matter of chance."""
    return np.random.default_rng(0).uniform(-1.5, 1.5, size=(monomials + monomials // 2 + 10, variables))


def _coefficients(
    form: Form, design: Float[np.ndarray, "monomials points"], output: Quantity
) -> Float[np.ndarray, "components monomials"]:
    """The polynomial of a form; all forms have whole coefficients, so that rounding makes them exact."""
    components = form.values.reshape(len(form.values), -1)[:, output.places]
    coefficients = (design @ np.broadcast_to(components, (design.shape[1], components.shape[1]))).T
    whole = coefficients.round()
    return whole if np.abs(coefficients - whole).max() < 1e-4 else coefficients


def _orbit_sums(
    chosen: _Independent,
    space: Float[np.ndarray, "dimension unknowns"],
    degrees: tuple[int, ...],
    exponents: Int[np.ndarray, "monomials variables"],
    inputs: Sequence[Quantity],
    output: Quantity,
) -> Iterator[NamedTerm]:
    """Fill up a space with rows of its echelon form, named by the coefficient that leads each."""
    labels = [label for quantity in inputs for label in quantity.labels]
    for row, pivot in _echelon(space):
        if chosen.complete:
            return
        if not chosen.adds(row):
            continue
        component, monomial = divmod(pivot, len(exponents))
        factors = [(labels[place], int(exponents[monomial, place])) for place in np.flatnonzero(exponents[monomial])]
        text = " ".join(label + superscript(power) for label, power in factors)
        latex = r" \, ".join(_subscripted(label) + (f"^{{{power}}}" if power > 1 else "") for label, power in factors)
        if output.shape:
            axes = "".join(AXES[axis] for axis in output.indices[component])
            text, latex = f"{text} e_{axes}".strip(), rf"{latex} \, \mathbf{{e}}_{{{axes}}}"
        alone = np.count_nonzero(row) == 1
        yield (
            degrees,
            (text or "1") if alone else f"⟨{text}⟩",
            (latex or "1") if alone else rf"\langle {latex} \rangle",
            row.reshape(-1, len(exponents)),
        )


def _echelon(
    space: Float[np.ndarray, "dimension unknowns"],
) -> Iterator[tuple[Float[np.ndarray, " unknowns"], int]]:
    """The rows of the reduced echelon form, made whole where they are fractions, and where each leads."""
    rows = space.copy()
    done = 0
    for column in range(rows.shape[1]):
        if done == len(rows):
            break
        best = done + int(np.argmax(np.abs(rows[done:, column])))
        if abs(rows[best, column]) < _SMALL:
            continue
        rows[[done, best]] = rows[[best, done]]
        rows[done] /= rows[done, column]
        others = np.arange(len(rows)) != done
        rows[others] -= np.outer(rows[others, column], rows[done])
        done += 1
    for row in rows[:done]:
        row[np.abs(row) < _SMALL] = 0.0
        yield _whole(row), int(np.flatnonzero(row)[0])


def _whole(row: Float[np.ndarray, " unknowns"]) -> Float[np.ndarray, " unknowns"]:
    """The smallest whole multiple of a row of fractions; the row itself where it has none."""
    fractions = [Fraction(value).limit_denominator(60) for value in row[row != 0]]
    if max(abs(float(f) - value) for f, value in zip(fractions, row[row != 0], strict=True)) > 1e-6:
        return row
    return (row * float(np.lcm.reduce([f.denominator for f in fractions]))).round()


def _subscripted(label: str) -> str:
    name, _, axes = label.partition("_")
    return f"{name}_{{{axes}}}" if axes else name
