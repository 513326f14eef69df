"""The study of equations in plain words: what was found, how sure it is, how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mechlearn.equations import Equation
from mechlearn.evaluation import significant
from mechlearn.evaluation.tables import text_table
from mechlearn.studies.equation_discovery_config import EquationDiscoveryConfig
from mechlearn.studies.equation_discovery_findings import OURS, CrystalFindings, DataFindings, EquationFindings


def percent(share: float | None, digits: int = 2) -> str:
    """A share as a percentage, or a dash.

    Examples
    --------
    >>> percent(0.0132), percent(None)
    ('1.3%', '–')
    """
    return "–" if share is None else f"{significant(100 * share, digits)}%"


def with_noise(noise: float) -> str:
    """How noisy, in words.

    Examples
    --------
    >>> with_noise(0.2), with_noise(0.0)
    ('with 20% noise', 'as it is')
    """
    return f"with {100 * noise:g}% noise" if noise else "as it is"


def equations_text(equations: Sequence[Mapping[str, Any]], digits: int = 3) -> str:
    """Equations on one line.

    Examples
    --------
    >>> equations_text([{"lhs": "u_t", "terms": [{"name": "u_xx", "coefficient": 0.1}]}])
    'u_t = 0.1 u_xx'
    """
    return "; ".join(Equation.from_dict(equation).text(digits) for equation in equations)


def shown_noise(data: DataFindings) -> float:
    """The noise whose equation is shown in full: the largest whose first draw has the right terms, else the least.

    One's own data are shown as they are.
    """
    if data.file is not None:
        return data.noises[0]
    right = [noise for noise in data.noises if _first_is_exact(data, noise)]
    return max(right, default=data.noises[0])


def _first_is_exact(data: DataFindings, noise: float) -> bool:
    from mechlearn.studies.equation_discovery_judging import is_exact, terms_of

    return data.truth is not None and is_exact(terms_of(data.at(noise)[0]["found"]["equations"]), data.truth)


def summary(config: EquationDiscoveryConfig, findings: EquationFindings) -> list[str]:
    """What was found and how far to trust it, a paragraph each."""
    paragraphs = [found_in(data) for data in findings.data]
    paragraphs += [part for part in (_symmetry(findings), _interactions(findings), _coordinates(findings)) if part]
    return [*paragraphs, _trust(config, findings)]


def found_in(data: DataFindings) -> str:
    """The equation of one data set, how often it was found, and how well it predicts."""
    noise = shown_noise(data)
    equations = data.shown(noise)["equations"]
    where = f"the data of {data.name}" if data.file is not None else f"data of {data.title}"
    kept = [
        term["probability"] for equation in equations for term in equation["terms"] if term["probability"] is not None
    ]
    least = "all" if min(kept, default=0.0) == 1.0 else f"at least {percent(min(kept, default=None), 3)} of the"
    sure = f" (every term is kept in {least} resamples)" if kept else ""
    told = f"Found in {where} {with_noise(noise)}: {equations_text(equations)}{sure}."
    return " ".join(part for part in (told, how_often(data), how_it_runs(data, noise)) if part)


def how_often(data: DataFindings) -> str:
    """Over the draws of the noise: how often the terms were right, how far coefficients were off."""
    rows = [row for row in data.rows() if row["method"] == OURS and row["noise"] > 0]
    if not rows:
        return ""
    told = [
        f"{row['exact']} of {row['seeds']} draw{'s' * (row['seeds'] != 1)} of {100 * row['noise']:g}% noise"
        + (f" (coefficients off by {percent(row['largest_error'])} at most)" if row["exact"] else "")
        for row in rows
    ]
    if data.truth_is == "found without noise added":
        return f"With noise added the same terms were found in {joined(told)}."
    return f"Exactly the right terms were found in {joined(told)}."


def joined(parts: Sequence[str]) -> str:
    """A list as it is spoken.

    Examples
    --------
    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def how_it_runs(data: DataFindings, noise: float) -> str:
    """What its simulation does, and whether noise explains what it leaves over."""
    run = data.shown(noise)["simulation"]
    if run["failure"]:
        return f"Its simulation ends early: {run['failure']}."
    if run["horizon"] is None:
        error = f"{percent(run['error'])}" if (run["error"] or 0.0) > 1e-3 else "less than 0.1%"
        return f"Followed in time it stays within 10% of the data to their end, with a mean error of {error}."
    return (
        f"Followed in time it stays within 10% of the data until t = {significant(run['horizon'], 2)}, of "
        f"{significant(run['duration'], 2)}."
    )


def _symmetry(findings: EquationFindings) -> str:
    if not findings.laws:
        return ""
    draws, right = sum(len(law.runs) for law in findings.laws), sum(law.right for law in findings.laws)
    exact = sum(law.exact for law in findings.laws)
    wrong = [law.title for law in findings.laws if law.right < len(law.runs)]
    return (
        f"The symmetry of {len(findings.laws)} laws was asked for in noisy samples of them: it was found in {right} of "
        f"{draws} draws, and with it exactly the terms of the law in {exact}."
        + (f" It was missed for: {'; '.join(wrong)}." if wrong else "")
    )


def _interactions(findings: EquationFindings) -> str:
    return " ".join(_crystal(crystal) for crystal in findings.crystals)


def _crystal(crystal: CrystalFindings) -> str:
    tensors = {name: crystal.tensor(name) for name in ("H", "K")}
    symmetry = " and ".join(
        f"{row['entries']:,} entries of {name} to {row['independent']:,}" for name, row in tensors.items()
    )
    recovery = "; ".join(
        f"{name}: {row['missed'] or 'none'} missed, {row['spurious'] or 'none'} spurious, off by "
        f"{percent(row['largest_error'])} at most"
        for name, row in tensors.items()
    )
    seeds = len(crystal.runs)
    return (
        f"Between the {crystal.runs[0]['systems']} slip systems of {crystal.lattice} symmetry cuts the {symmetry}. Of "
        f"the entries that were planted in {seeds} law{'s' * (seeds != 1)} and looked for in readings with "
        f"{100 * crystal.runs[0]['noise']:g}% noise, those found again: {recovery}."
    )


def _coordinates(findings: EquationFindings) -> str:
    return " ".join(
        f"From {found['title']} ({found['features']:,} numbers a sample) the coordinates "
        f"{', '.join(found['variables'])} were found, with {equations_text(found['equations'])}; they explain "
        f"{percent(1 - found['errors']['data'], 4)} of the data."
        for found in findings.coordinates
    )


def _trust(config: EquationDiscoveryConfig, findings: EquationFindings) -> str:
    if config.data is None:
        origin = "The data are made here from known equations with white Gaussian noise, so they measure the method."
    else:
        origin = "The data are your own; what is added to them is white Gaussian noise."
    peer = "PySINDy is not installed, and was left out of the comparison." if findings.data and config.peers else ""
    if findings.has_peer:
        peer = _peer(findings)
    return (
        f"How far to trust it: {origin} Intervals hold a coefficient with 95% where the terms are right; a term that "
        f"is not among the candidates cannot be found, and noise that is smooth in space looks like signal. {peer}"
    ).strip()


def _peer(findings: EquationFindings) -> str:
    """How often PySINDy has the right terms, data set by data set."""
    told = []
    for data in findings.data:
        if rows := [row for row in data.rows() if row["method"] != OURS]:
            counts = joined([f"{row['exact']} of {row['seeds']} {with_noise(row['noise'])}" for row in rows])
            told.append(f"for {data.title} in {counts}")
    if not told:
        return ""
    return f"PySINDy's weak form, untuned and with the same candidates, has the right terms {'; '.join(told)}."


def summarise(results: Mapping[str, Any]) -> str:
    """What the terminal shows at the end."""
    rows = [
        [
            f"{row['data']} {with_noise(row['noise'])}",
            row["method"],
            f"{row['exact']} of {row['seeds']}",
            percent(row["median_error"]),
            percent(row["largest_error"]),
        ]
        for row in results["fields"]
    ]
    table = text_table(["data, noise", "method", "right terms", "median error", "largest"], rows)
    equations = [f"{row['data']} {with_noise(row['noise'])}:  {equations_text([row])}" for row in results["equations"]]
    return "\n".join([*equations, *(["", table] if rows else []), "", *results["summary"]])
