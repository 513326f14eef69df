"""The report of the study of equations: the equation first, then the data against it, then the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np

from mechlearn.evaluation import significant
from mechlearn.report import (
    CoefficientPoint,
    Highlight,
    PathPoint,
    Picture,
    Report,
    Section,
    Table,
    TermPath,
    Text,
    coefficient_intervals,
    fields_beside,
    provenance,
    recovery_shares,
    regularisation_path,
    residual_map,
    simulation_errors,
    trajectories,
)
from mechlearn.report.page import Block
from mechlearn.studies.equation_discovery_config import EquationDiscoveryConfig
from mechlearn.studies.equation_discovery_evidence import coordinate_section, crystal_section, formula, symmetry_section
from mechlearn.studies.equation_discovery_findings import OURS, DataFindings, EquationFindings
from mechlearn.studies.equation_discovery_summary import (
    how_it_runs,
    how_often,
    percent,
    shown_noise,
    summary,
    with_noise,
)

_DEFINITIONS: Final = {
    "candidates": "all derivatives of all products of the fields, up to an order and a degree; the search chooses few",
    "u_t, u_xx": "derivatives of u: once in time, twice along x",
    "noise": "the standard deviation of what is added, over that of the field",
    "interval": "the middle 95% of the coefficient over blocks of the data drawn again, the terms being given",
    "probability": "the share of resamples of the data in which a simpler search, done anew each time, keeps the term",
    "criterion": "how much worse a set of terms explains the data, plus a price for every term; the least wins",
    "residual": "what the equation leaves over in a small window of space and time; noise alone makes it about 1",
    "draw": "noise (and where they are made, the data) drawn anew; every search knows one draw and nothing else",
}


def build_report(
    config: EquationDiscoveryConfig, findings: EquationFindings, command: str, started: datetime
) -> Report:
    """Put the page together.

    Parameters
    ----------
    config
        The settings.
    findings
        What was found.
    command
        As it was typed.
    started
        When.
    """
    sections = [_data_section(data) for data in findings.data]
    if section := _recovery_section(findings):
        sections.append(section)
    sections += [
        section for section in (symmetry_section(findings.laws), crystal_section(findings.crystals)) if section
    ]
    if findings.coordinates:
        sections.append(coordinate_section(findings.coordinates))
    where = "your data" if config.data is not None else "noisy data"
    return Report(
        title=f"Which equations do {where} obey?",
        summary=summary(config, findings),
        highlights=_highlights(findings),
        sections=sections,
        definitions=_DEFINITIONS,
        provenance=provenance(command, config.seed, started, datetime.now()),
    )


def _highlights(findings: EquationFindings) -> list[Highlight]:
    found = []
    for data in findings.data[:2]:
        rows = [row for row in data.rows() if row["method"] == OURS and row["noise"] > 0]
        if rows:
            row = rows[-1]
            found.append(
                Highlight(
                    f"{row['exact']} of {row['seeds']}",
                    f"draws with exactly the right terms, {data.title}",
                    f"{100 * row['noise']:g}% noise",
                )
            )
    if findings.laws:
        right, draws = sum(law.right for law in findings.laws), sum(len(law.runs) for law in findings.laws)
        found.append(Highlight(f"{right} of {draws}", "symmetries found", f"{len(findings.laws)} laws, noisy samples"))
    for crystal in findings.crystals[:1]:
        row = crystal.tensor("H")
        found.append(
            Highlight(f"{row['entries']:,} → {row['independent']}", f"entries of {crystal.lattice}'s H", "by symmetry")
        )
    return found


def _data_section(data: DataFindings) -> Section:
    """One data set: the equation, the data beside its simulation, what is left over, the path to it."""
    noise = shown_noise(data)
    shown = data.shown(noise)
    blocks: list[Block] = [
        formula(shown["equations"], f"Found {with_noise(noise)}"),
        Text(" ".join(filter(None, (how_often(data), how_it_runs(data, noise))))),
        _terms_table(data, noise),
        _picture(data, noise, shown),
    ]
    if shown["residual"] is not None:
        blocks.append(_residual_picture(data, shown))
    blocks.append(_path_picture(shown["path"]))
    blocks += [
        formula(data.shown(other)["equations"], f"Found {with_noise(other)}") for other in data.noises if other != noise
    ]
    return Section(data.title[:1].upper() + data.title[1:], blocks)


def _terms_table(data: DataFindings, noise: float) -> Table:
    """Every term with what is known of its coefficient; terms that should be there and are not have a dash."""
    known = data.truth is not None and data.truth_is != "found without noise added"
    truth = data.truth if known and data.truth is not None else {}
    rows = []
    for equation in data.shown(noise)["equations"]:
        wanted = dict(truth.get(equation["lhs"], {}))
        for term in equation["terms"]:
            interval = "–" if term["low"] is None else f"{significant(term['low'])} to {significant(term['high'])}"
            cells = [significant(term["coefficient"], 4), interval, percent(term["probability"], 3)]
            true = [significant(wanted.pop(term["name"]), 4) if term["name"] in wanted else "none"]
            rows.append([f"{equation['lhs']}:  {term['name']}", *cells, *(true if known else [])])
        rows += [
            [f"{equation['lhs']}:  {name}", "–", "–", "–", significant(value, 4)] for name, value in wanted.items()
        ]
    header = ["term", "coefficient", "95% interval", "probability", *(["true"] if known else [])]
    return Table(header, rows, f"The terms found {with_noise(noise)}.")


def _picture(data: DataFindings, noise: float, shown: Mapping[str, Any]) -> Picture:
    """The data beside their simulation."""
    picture = shown["picture"]
    looked_at = f"the data {with_noise(noise)}"
    if picture["kind"] == "curves":
        series = {name: {key: _array(values) for key, values in own.items()} for name, own in picture["series"].items()}
        measured, *others = series
        return Picture(
            trajectories(_array(picture["times"]), series[measured], {name: series[name] for name in others}),
            f"Points: {looked_at}. Lines: the equation followed from the start, and the data before noise was added, "
            "where these are known. Look for how long the lines stay together.",
            "Variables over time, measured and simulated",
        )
    titles = {"as looked at": f"as looked at, {100 * noise:g}% noise", "before noise": "before noise was added"}
    maps = {titles.get(name, name): _array(values) for name, values in picture["maps"].items()}
    at = "" if picture["time"] is None else f" at t = {significant(picture['time'])}"
    return Picture(
        fields_beside(
            maps, _array(picture["across"]), _array(picture["along"]), tuple(picture["axes"]), picture["quantity"]
        ),
        f"The field {picture['quantity']}{at}: {looked_at}, and last what the equation makes of the start alone. All "
        "have one scale of colours.",
        f"Maps of {data.title} as measured and as simulated",
    )


def _residual_picture(data: DataFindings, shown: Mapping[str, Any]) -> Picture:
    residual, square = shown["residual"], shown["simulation"]["residual_square"]
    verdict = "" if square is None else f" Its mean square is {significant(square, 2)}; noise alone gives 1."
    return Picture(
        residual_map(
            {"left over": _array(residual["map"])},
            _array(residual["across"]),
            _array(residual["along"]),
            tuple(residual["axes"]),
        ),
        "What the equation leaves over in each window, over what noise makes of it. Without a pattern there is nothing "
        f"left to find; a patch of one colour is a place where the equation fails.{verdict}",
        f"Map of the residual of the equation of {data.title}",
    )


def _path_picture(paths: Sequence[Mapping[str, Any]]) -> Picture:
    drawn = [
        TermPath(
            path["lhs"],
            [
                PathPoint(point["size"], point["terms"], _number(point["criterion"]), _number(point["held_out_error"]))
                for point in path["points"]
            ],
            path["chosen"],
        )
        for path in paths
    ]
    return Picture(
        regularisation_path(drawn),
        "How many terms are needed: the best set of each size. The criterion is least where one term more is no longer "
        "worth its price; beyond it the error hardly falls. Hover to read the terms.",
        f"Criterion and errors against the number of terms, for {', '.join(path['lhs'] for path in paths)}",
    )


def _recovery_section(findings: EquationFindings) -> Section | None:
    """How often the equations were right, over all draws."""
    rows = [row for data in findings.data for row in data.rows()]
    blocks: list[Block] = []
    if rows:
        cells = [
            [
                f"{row['data']}, {with_noise(row['noise'])}",
                row["method"],
                f"{row['exact']} of {row['seeds']}",
                f"{row['within_5_percent']} of {row['seeds']}",
                percent(row["median_error"]),
                percent(row["largest_error"]),
                significant(row["mean_terms"], 2),
            ]
            for row in rows
        ]
        header = ["data", "method", "right terms", "and within 5%", "median error", "largest error", "terms, mean"]
        caption = (
            "Draws of the noise with exactly the right terms, and how far the largest coefficient is off in these."
        )
        blocks.append(Table(header, cells, caption))
    for data in findings.data:
        if len({row["noise"] for row in data.rows()}) >= 3:
            blocks.append(_shares(data))
    if points := _coefficients(findings):
        blocks.append(
            Picture(
                coefficient_intervals(points),
                "Coefficients over their true values, with 95% intervals, in the first draw of each noise.",
                "Coefficients with intervals against the truth",
            )
        )
    if runs := _runs(findings):
        blocks.append(
            Picture(
                simulation_errors(runs, 0.1),
                "How far the equations found, followed from the start, stray from the data before noise, over the "
                "deviation of the field. The dashed line is 10%.",
                "Error of the simulation against time",
            )
        )
    return Section("How often, and how exactly", blocks) if blocks else None


def _shares(data: DataFindings) -> Picture:
    rows = data.rows()
    noises = sorted({row["noise"] for row in rows})
    methods = list(dict.fromkeys(row["method"] for row in rows))
    of = {(row["method"], row["noise"]): row for row in rows}
    counts = {name: np.array([of[name, noise]["exact"] for noise in noises]) for name in methods}
    tried = np.array([of[OURS, noise]["seeds"] for noise in noises])
    return Picture(
        recovery_shares(np.array(noises), counts, tried),
        f"{data.title}: how often exactly the right terms are found. The dotted line is 95%.",
        f"Share of draws with the right terms against noise, {data.title}",
    )


def _coefficients(findings: EquationFindings) -> list[CoefficientPoint]:
    points = []
    for data in findings.data:
        if data.truth is None or data.truth_is == "found without noise added":
            continue
        for noise in data.noises:
            for equation in data.shown(noise)["equations"]:
                wanted = data.truth.get(equation["lhs"], {})
                points += [
                    CoefficientPoint(
                        f"{data.name}, {100 * noise:g}%, {equation['lhs']}: {term['name']}",
                        data.name,
                        _number(term["coefficient"]),
                        _number(term["low"]),
                        _number(term["high"]),
                        wanted[term["name"]],
                    )
                    for term in equation["terms"]
                    if term["name"] in wanted
                ]
    return points


def _runs(findings: EquationFindings) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    runs = {}
    for data in findings.data:
        for noise in data.noises:
            run = data.shown(noise)["simulation"]
            times = _array(run["times"])
            share = (times - times[0]) / run["duration"]
            runs[f"{data.name}, {with_noise(noise)}"] = (share, _array(run["errors"]))
    return {name: run for name, run in runs.items() if np.isfinite(run[1]).any()}


def _array(values: Any) -> np.ndarray:
    """Numbers as JSON has them; null is NaN."""
    return np.array(values, dtype=np.float64)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
