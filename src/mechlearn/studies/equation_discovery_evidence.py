"""The report's sections on symmetry, on interactions between slip systems, and on coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mechlearn.equations import Equation
from mechlearn.equations.mathml import mathml
from mechlearn.evaluation import significant
from mechlearn.report import (
    CoefficientPoint,
    Formula,
    GroupPoint,
    Picture,
    Section,
    Table,
    Text,
    coefficient_intervals,
    matrices_beside,
    symmetry_evidence,
    trajectories,
)
from mechlearn.report.page import Block
from mechlearn.studies.equation_discovery_findings import CrystalFindings, LawFindings
from mechlearn.studies.equation_discovery_summary import percent


def formula(equations: Sequence[Mapping[str, Any]], label: str, digits: int = 3) -> Formula:
    """Equations as JSON has them, as mathematics."""
    read = [Equation.from_dict(equation) for equation in equations]
    return Formula(mathml(read, digits), "\n".join(equation.text(digits) for equation in read), label)


def symmetry_section(laws: Sequence[LawFindings]) -> Section | None:
    """Which symmetry was found in each law, and why."""
    if not laws:
        return None
    rows = [
        [
            law.title,
            law.group_true,
            f"{law.right} of {len(law.runs)}",
            f"{law.exact} of {len(law.runs)}",
            percent(law.largest_error),
        ]
        for law in laws
    ]
    blocks: list[Block] = [
        Text(
            "Each law is given as noisy samples and nothing else. For every symmetry all terms that it allows are "
            "fitted, and judged on samples left out. A symmetry that the law has not makes errors there; one that it "
            "has costs nothing. The answer is the adequate symmetry with the fewest terms."
        ),
        Table(
            ["law", "its symmetry", "found in", "right terms in", "largest error"],
            rows,
            f"Draws of samples with {100 * laws[0].noise:g}% noise in which symmetry and terms were found.",
        ),
    ]
    for law in laws:
        blocks += _law_blocks(law)
    return Section("Which symmetry", blocks)


def _law_blocks(law: LawFindings) -> list[Block]:
    """The law and the evidence for its symmetry, in the first draw."""
    first = law.runs[0]
    points = [
        GroupPoint(
            row["group"] + (f" (also {', '.join(row['alike'])})" if row["alike"] else ""),
            row["terms"],
            row["held_out_error"],
            row["adequate"],
            row["group"] == first["group"],
            row["share"],
        )
        for row in first["evidence"]
    ]
    title = _capital(law.title)
    answer = next(row for row in first["evidence"] if row["group"] == first["group"])
    return [
        formula([first["equation"]], f"{title}: found to be {first['group']}"),
        Picture(
            symmetry_evidence(points),
            f"{title}: errors on samples left out, from the symmetry with the fewest terms to that with the most. "
            "Above the answer symmetries are too strict for the law; below it terms are fitted that it has not. "
            f"{first['group'].capitalize()} is the answer, in {percent(answer['share'], 3)} of resamples too. In "
            "brackets: symmetries that allow the same terms, which no such data can tell apart.",
            f"Held-out error of every symmetry for {law.title}",
        ),
    ]


def crystal_section(crystals: Sequence[CrystalFindings]) -> Section | None:
    """What symmetry leaves of interaction tensors, and what was found again of planted ones."""
    if not crystals:
        return None
    rows = []
    for crystal in crystals:
        for name in ("H", "K"):
            row = crystal.tensor(name)
            rows.append(
                [
                    f"{crystal.lattice}, {crystal.runs[0]['systems']} systems: {name}",
                    f"{row['entries']:,}",
                    f"{row['independent']:,}",
                    f"{row['planted']:,}",
                    significant(row["f1_least"]),
                    f"{row['missed']}, {row['spurious']}",
                    percent(row["largest_error"]),
                    percent(row["intervals_that_hold"], 3),
                ]
            )
    blocks: list[Block] = [
        Text(
            "H says how dislocations of one slip system harden another, g² = f² + H ρ; K how slip stores them. The "
            "crystal's symmetry makes most entries equal; of the others a few are planted, polycrystals are loaded, "
            "noise is added to all readings, and the entries are looked for again. The search is not told which they "
            "are, nor how many."
        ),
        Table(
            ["tensor", "entries", "by symmetry", "planted", "F1, least", "missed, spurious", "largest error",
             "intervals that hold"],
            rows,
            "Entries that symmetry leaves, and how well the planted ones were found; F1 is 1 where exactly these were.",
        ),
    ]  # fmt: skip
    for crystal in crystals:
        blocks += _crystal_blocks(crystal)
    return Section("Interactions between slip systems", blocks)


def _crystal_blocks(crystal: CrystalFindings) -> list[Block]:
    first = crystal.runs[0]
    blocks: list[Block] = []
    points = [
        CoefficientPoint(entry["name"], "H", entry["found"], entry["low"], entry["high"], entry["planted"])
        for entry in first["entries"]
        if entry["planted"] and entry["found"]
    ]
    if points and len(points) <= 20:
        blocks.append(
            Picture(
                coefficient_intervals(points),
                f"{crystal.lattice}: the entries of H found, over the planted ones, with 95% intervals.",
                "Entries of the hardening matrix with intervals against the truth",
            )
        )
    if matrices := first["strength_matrix"]:
        panels = {name: np.array(matrices[name], dtype=np.float64) for name in ("planted", "found")}
        blocks.append(
            Picture(
                matrices_beside(panels, matrices["labels"], "H in MPa²/(10¹² m⁻²)"),
                f"{crystal.lattice}: the hardening matrix that was planted, and the one found from noisy readings. "
                "Hover to read which systems an entry joins.",
                "The planted and the found hardening matrix",
            )
        )
    return blocks


def coordinate_section(coordinates: Sequence[Mapping[str, Any]]) -> Section:
    """Coordinates found together with their laws."""
    blocks: list[Block] = [
        Text(
            "Here nobody says what the variables are: a network compresses many numbers into few, such that these obey "
            "a short equation. Any smooth change of coordinates gives another pair of network and equation, so that "
            "coefficients need not be those of a textbook."
        )
    ]
    for found in coordinates:
        blocks += _coordinate_blocks(found)
    return Section("Coordinates", blocks)


def _coordinate_blocks(found: Mapping[str, Any]) -> list[Block]:
    errors = found["errors"]
    blocks: list[Block] = [
        formula(
            found["equations"],
            f"{_capital(found['title'])}: found in {found['features']:,} numbers",
        ),
        Text(
            f"On trajectories left out of training the coordinates explain {percent(1 - errors['data'], 4)} of the "
            f"data, and the equation {percent(1 - errors['rate'], 4)} of how fast they change. {found['expected']}"
        ),
    ]
    if picture := found["picture"]:
        measured = {name: np.array(values, dtype=np.float64) for name, values in picture["measured"].items()}
        computed = {name: np.array(values, dtype=np.float64) for name, values in picture["simulated"].items()}
        blocks.append(
            Picture(
                trajectories(np.array(picture["times"]), measured, {"simulated": computed}),
                "Points: what the network makes of a trajectory that was left out. Lines: the equation, followed from "
                "its start alone.",
                f"Latent variables of {found['title']} over time",
            )
        )
    return blocks


def _capital(title: str) -> str:
    """With a capital, as a sentence begins."""
    return title[:1].upper() + title[1:]
