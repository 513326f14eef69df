"""What ``mechlearn equations`` answers: the equation first, then its terms, then how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as member
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mechlearn.cli.output import show, show_table

if TYPE_CHECKING:
    from mechlearn.equations import Coefficient, Equation, EquationComparison, SparseFit, SymmetryEvidence

#: A term that fewer of the resamples keep is not settled: others may do as well.
SETTLED = 0.8

#: Residuals beyond so many times what noise explains are told.
MISFIT = 1.3

#: Where noise is not known, a relative error beyond this is told.
UNEXPLAINED = 0.2

#: What leaves a law as it is, in words.
GROUPS_IN_WORDS = {
    "isotropic": "every rotation and reflection",
    "rotations": "every rotation, but no reflection",
    "transversely isotropic": "rotations about one axis, z, and reflections",
    "cubic": "the rotations and reflections of a cube",
    "cubic rotations": "the rotations of a cube, but no reflection",
    "square": "the rotations and reflections of a square",
    "hexagonal": "the rotations and reflections of a hexagon",
    "hexagonal rotations": "the rotations of a hexagonal prism, but no reflection",
    "tetragonal": "the rotations and reflections of a square prism",
    "trigonal": "the rotations and reflections of a trigonal crystal (D3d)",
    "orthotropic": "reflections along each axis",
    "monoclinic": "half a turn about z, and the inversion",
    "inversion": "the inversion of all axes",
    "none": "no rotation or reflection",
}


@dataclass(frozen=True)
class Found:
    """What ``discover`` found, whichever way.

    Attributes
    ----------
    equations : sequence of Equation
        One a left-hand side.
    fits : sequence of SparseFit
        The regressions behind what is shown.
    laws : sequence of Equation
        The same in terms of tensors, where a symmetry was looked for in fields: these are shown then.
    noise : mapping of str to float
        Of every field, over the field's deviation; empty where it was not measured.
    group : str
        The symmetry found, empty where none was looked for.
    evidence : sequence of SymmetryEvidence
        For every group.
    """

    equations: Sequence[Equation]
    fits: Sequence[SparseFit]
    laws: Sequence[Equation] = ()
    noise: Mapping[str, float] = member(default_factory=dict)
    group: str = ""
    evidence: Sequence[SymmetryEvidence] = ()

    @property
    def shown(self) -> Sequence[Equation]:
        """The equations as a person is to read them."""
        return self.laws or self.equations


def record_of(found: Found) -> dict[str, Any]:
    """The answer as ``--json`` has it."""
    symmetry: dict[str, Any] | None = None
    if found.group:
        symmetry = {"group": found.group, "evidence": [asdict(row) for row in found.evidence]}
        symmetry |= {"laws": [law.to_dict() for law in found.laws]} if found.laws else {}
    return {
        "equations": [equation.to_dict() for equation in found.equations],
        "symmetry": symmetry,
        "noise": list(found.noise.values()),
        "misfit": [fit.misfit for fit in found.fits],
        "held_out_error": [fit.held_out_error for fit in found.fits],
    }


def show_found(found: Found) -> None:
    """Print the equations, a table of their terms, the symmetry, the noise, and how far to trust them."""
    show("\n".join(map(str, found.shown)))
    rows = [row for equation in found.shown for row in _term_rows(equation, named=len(found.shown) > 1)]
    if rows:
        show_table(("term", "coefficient", "unit", "low", "high", "probability"), rows)
    if found.group:
        _show_symmetry(found)
    if found.noise:
        shares = ", ".join(f"{name} {_noise(share)}" for name, share in found.noise.items())
        show(f"noise: {shares} of the field's standard deviation")
    show("trust: " + "\n       ".join([*_left_over(found), *trust(found.shown)]))


def _left_over(found: Found) -> list[str]:
    """What the equations do not explain, a phrase each."""
    phrases = []
    for equation, fit in zip(found.shown, found.fits, strict=True):
        lhs = equation.lhs.name
        if not equation.coefficients:
            continue
        if fit.misfit > MISFIT:
            phrases.append(
                f"{lhs} is missed by {fit.misfit:.2g} times what noise explains: a term may be missing among the "
                "candidates"
            )
        elif math.isnan(fit.misfit) and fit.held_out_error > UNEXPLAINED:
            phrases.append(f"{_percent(fit.held_out_error)} of {lhs} is left unexplained, by noise or by missing terms")
    return phrases


def _term_rows(equation: Equation, *, named: bool) -> list[tuple[object, ...]]:
    """One row a term, which says of which equation it is where there are several."""
    prefix = f"{equation.lhs.name}: " if named else ""
    return [
        (f"{prefix}{c.term.name}", c.value, unit, _known(c.low), _known(c.high), _percent(c.probability))
        for c, unit in zip(equation.coefficients, equation.coefficient_units(), strict=True)
    ]


def _show_symmetry(found: Found) -> None:
    """The symmetry in words, and the table of evidence."""
    row = next(row for row in found.evidence if row.group == found.group)
    words = GROUPS_IN_WORDS.get(found.group, "its own elements")
    alike = f"; the terms tried cannot tell it from {', '.join(row.alike)}" if row.alike else ""
    show(f"symmetry: {found.group} ({row.symbol}), the same under {words}{alike}")
    show_table(
        ("group", "terms allowed", "error held out", "of the law missed", "adequate", "chosen in resamples"),
        [
            (r.group, r.terms, _percent(r.held_out_error), _percent(r.broken), r.adequate, _percent(r.share))
            for r in found.evidence
        ],
    )
    show(
        "A group is adequate that predicts what was left out as well as the best; "
        "the answer is the adequate one with the fewest terms."
    )


def trust(equations: Sequence[Equation]) -> list[str]:
    """How far the terms can be trusted, in plain words, a phrase a line.

    Examples
    --------
    >>> from mechlearn.equations import Coefficient, Equation, Term
    >>> terms = (Coefficient(Term("u_x"), -1.0, -1.1, -0.9, 1.0), Coefficient(Term("u_xx"), 0.1, -0.1, 0.3, 0.4))
    >>> for line in trust([Equation(Term("u_t"), terms)]):
    ...     print(line)
    not settled: u_xx in u_t (kept in 40% of resamples; its interval holds zero)
    every other term is kept in 100% of resamples
    """
    empty = [equation.lhs.name for equation in equations if not equation.coefficients]
    every = [(equation.lhs.name, c) for equation in equations for c in equation.coefficients]
    firm = [c.probability for _, c in every if not _doubts(c)]
    doubts = [f"{c.term.name} in {lhs} ({'; '.join(_doubts(c))})" for lhs, c in every if _doubts(c)]
    lines = []
    if empty:
        lines.append(
            f"no term found for {', '.join(empty)}: noise may hide its law, or it needs a higher --degree or --order"
        )
    if doubts:
        lines.append(f"not settled: {', '.join(doubts)}")
    if firm:
        least = f"{'at least ' if min(firm) < 1 else ''}{_percent(min(firm))}"
        lines.append(f"every {'other ' if doubts else ''}term is kept in {least} of resamples")
    return lines


def _doubts(coefficient: Coefficient) -> list[str]:
    """What speaks against a term."""
    doubts = []
    if coefficient.probability < SETTLED:
        doubts.append(f"kept in {_percent(coefficient.probability)} of resamples")
    if coefficient.low <= 0 <= coefficient.high:
        doubts.append("its interval holds zero")
    return doubts


def _noise(share: float) -> str:
    """A share of noise; what is below the least that is told apart is said to be that."""
    from mechlearn.equations.data.noise import LEAST_NOISE

    return f"below {_percent(LEAST_NOISE)}" if share < 1.001 * LEAST_NOISE else _percent(share)


def _percent(share: float) -> str:
    """A share as a person reads it.

    Examples
    --------
    >>> _percent(0.05), _percent(0.1246), _percent(0.004034), _percent(1.0)
    ('5%', '12%', '0.4%', '100%')
    """
    if math.isnan(share):
        return "–"
    return f"{100 * share:.0f}%" if share >= 0.0995 or share == 0 else f"{100 * share:.2g}%".replace(".0%", "%")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def comparison_record(path: Path, equations: Sequence[Equation], comparison: EquationComparison) -> dict[str, Any]:
    """One row of ``compare --json``."""
    return {"file": path, "terms": _count(equations), **comparison.to_dict()}


def show_comparisons(systems: Mapping[Path, Sequence[Equation]], compared: Mapping[Path, EquationComparison]) -> None:
    """Print a row for every file of equations, what its numbers mean, and why a simulation ended early."""
    rows = []
    for path, comparison in compared.items():
        until = "to the end" if comparison.horizon is None else f"for {comparison.horizon:.4g}"
        left = math.sqrt(comparison.residual_square) if comparison.residual_square >= 0 else math.nan
        rows.append(
            (path, _count(systems[path]), _percent(comparison.error), until, _percent(comparison.residual_share), left)
        )
    show_table(
        ("equations", "terms", "simulation error", "agrees", "residual", "over noise"),
        [(*row[:-1], _known(row[-1])) for row in rows],
    )
    show(
        "simulation error: from the first state on, in the field's standard deviations, noise taken off; it agrees as "
        "long as that is below 10%"
    )
    show("residual: what the equations leave of the time derivative; over noise: in units of what noise explains")
    for path, comparison in compared.items():
        if comparison.failure:
            show(f"{path}: {comparison.failure}")


def _count(equations: Sequence[Equation]) -> int:
    return sum(len(equation.coefficients) for equation in equations)
