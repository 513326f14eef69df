"""The study of shear transformations in plain words: what was found, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from mechlearn.evaluation import ModelScores, RareEventScorecard, significant
from mechlearn.evaluation.classification_scorecard import CHANCE, SCORE_NAMES, UNDEFINED
from mechlearn.evaluation.tables import text_table
from mechlearn.studies.shear_transformation_config import ShearTransformationConfig
from mechlearn.studies.shear_transformation_findings import GlassFindings, SizeFindings

#: What Lee and Ryu (2022) report of their network, by key of a score.
PAPER: Final = {"prevalence": 0.0018, "auc": 0.8508, "ap": 0.0160, "recall": 0.7002, "precision": 0.0086}

#: From this AUC on most readers take a model for a good one.
_LOOKS_GOOD: Final = 0.75
#: K/s; glasses cooled no faster behave much like those that are cast, as far as simulations go.
_SLOW: Final = 1e11


def summary(config: ShearTransformationConfig, findings: GlassFindings) -> list[str]:
    """What was found and how far to trust it, a paragraph each."""
    paragraphs = [_found(config, findings.main), _paper(config, findings.main)]
    if findings.larger is not None:
        paragraphs.append(_larger(config, findings))
    paragraphs.append(_by_strain(findings.main))
    return [*filter(None, paragraphs), _trust(config, findings)]


def percent(share: float) -> str:
    """A share in words.

    Examples
    --------
    >>> percent(0.0018), percent(0.5)
    ('0.18%', '50%')
    """
    return f"{significant(100 * share, 2)}%"


def counted(number: int, one: str, many: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "glass", "glasses"), counted(1200, "run", "runs")
    ('1 glass', '1,200 runs')
    """
    return f"{number:,} {one if number == 1 else many}"


def _found(config: ShearTransformationConfig, found: SizeFindings) -> str:
    """The best model, in one breath with the prevalence, its AP and its AUC."""
    card, best = found.card, found.card[found.best]
    hits = best["localisation"].value
    blind = card[CHANCE]["localisation"].value
    few = 1.0 / card.prevalence
    return (
        f"Of the atoms of a glass that takes its first shear transformation one in {significant(few, 2)} takes part "
        f"({percent(card.prevalence)}). The best of {len(found.predictions)} ways to foretell which, {best.name}, was "
        f"tried on glasses that it never saw: its average precision is {significant(best['ap'].value, 2)}, "
        f"{significant(best['ap_lift'].value, 2)} times what chance gives (AUC "
        f"{significant(best['auc'].value, 2)}); run by run, where small events count as much as avalanches, "
        f"{significant(best['run_lift'].value, 2)} times. The atom that it puts first lies within "
        f"{config.radius:g} {config.units.length} of the place where the event begins in {percent(hits)} of "
        f"{card.runs:,} runs, a blind choice in {percent(blind)}."
        f" {_verdict(best, blind)}"
    )


def _verdict(best: ModelScores, blind: float) -> str:
    """What that means for somebody who would rely on it."""
    low = best["ap_lift"].low
    if not np.isfinite(low) or low <= 1.0:
        return "With so few glasses that cannot be told from chance."
    precision = best["precision"].value
    if not np.isfinite(precision):
        return "It calls no atom positive at its own threshold: use its ranking alone."
    if precision > 0.5:
        return f"Of the atoms that it calls, {percent(precision)} do take part."
    found = best["localisation"].low > blind
    use = "good for where to look, not for naming single atoms" if found else "too few to rely on a single one"
    return f"Of the atoms that it calls, {percent(precision)} take part: {use}."


def _paper(config: ShearTransformationConfig, found: SizeFindings) -> str:
    """The paper's network beside the best."""
    if not _is_papers(config):
        return ""
    first = config.models[0]
    network, best = found.card[first.name], found.card[found.best]
    text = (
        f"The graph attention network on the paper's features has an AUC of {_with_interval(network, 'auc')} and an "
        f"average precision of {_with_interval(network, 'ap')}, {_with_interval(network, 'ap_lift')} times the "
        "prevalence. "
    )
    if network["auc"].value >= _LOOKS_GOOD:
        text += "The first looks good by itself; the second tells how many false alarms stand behind it. "
    matched = found.matched[first.name]
    text += (
        f"At the prevalence of Lee and Ryu ({percent(config.matched_prevalence)}) its average precision would be "
        f"{significant(matched['ap'].value, 2)}; they report {PAPER['ap']:.3f}, with an AUC of {PAPER['auc']:.2f}, for "
        "glasses of 10,000 atoms quenched at 1e10 K/s."
    )
    if best.name != network.name:
        ratio = best["ap_lift"].value / network["ap_lift"].value
        text += f" Over the prevalence, the average precision of {best.name} is {significant(ratio, 2)} times that."
    return text


def _larger(config: ShearTransformationConfig, findings: GlassFindings) -> str:
    """The same models in larger glasses."""
    found = findings.larger
    if found is None:
        return ""
    best = found.card[findings.main.best]
    text = (
        f"In {counted(found.card.specimens, 'glass', 'glasses')} of {found.atoms:,} atoms, of a size that no model "
        f"was trained on, one atom in {significant(1 / found.card.prevalence, 2)} takes part "
        f"({percent(found.card.prevalence)}); there "
        f"{best.name} has an average precision of {_with_interval(best, 'ap')}, {_with_interval(best, 'ap_lift')} "
        f"times the prevalence, an AUC of {_with_interval(best, 'auc')}, and its foremost atom is right in "
        f"{percent(best['localisation'].value)} of {counted(found.card.runs, 'run', 'runs')}."
    )
    if not _is_papers(config) or best.name == config.models[0].name:
        return text
    network = found.card[config.models[0].name]
    ratio = best["ap_lift"].value / network["ap_lift"].value
    return (
        f"{text} The graph attention network on the paper's features has there an AUC of "
        f"{_with_interval(network, 'auc')} and an average precision of {_with_interval(network, 'ap')}, "
        f"{_with_interval(network, 'ap_lift')} times the prevalence: that of {best.name} is "
        f"{significant(ratio, 2)} times as high."
    )


def _is_papers(config: ShearTransformationConfig) -> bool:
    """Whether the first model is the paper's network on the paper's features."""
    return (config.models[0].kind, config.models[0].features) == ("gat", "paper")


def _by_strain(found: SizeFindings) -> str:
    """Whether early events are easier."""
    told = [
        f"{percent(card[found.best]['localisation'].value)} of the {counted(card.runs, 'run', 'runs')} with an event "
        + (f"below {100 * high:.2g}%" if low == 0.0 else f"from {100 * low:.2g} to {100 * high:.2g}%")
        for low, high, card in found.by_strain
        if card is not None
    ]
    if len(told) < 2:
        return ""
    return (
        f"In glasses of {found.atoms:,} atoms the foremost atom of {found.best} is right in {_joined(told)} strain: "
        "the features are those of the glass before any."
    )


def _trust(config: ShearTransformationConfig, findings: GlassFindings) -> str:
    """What the numbers do not hold for."""
    main = findings.main
    parts = [f"How far to trust it: {counted(len(main.specimens), 'glass', 'glasses')} of {main.atoms:,} atoms"]
    if config.glasses is None:
        parts[0] += f", quenched {config.preparation.cooling(config.units).rstrip(',')}"
        if config.preparation.quench_rate > _SLOW and not config.preparation.swaps_per_atom:
            parts[0] += ", far faster than any that is cast: such glasses yield earlier and in more places"
    else:
        parts[0] += ", your own"
    parts[0] += "; the shear is athermal and as slow as can be."
    if missing := [run for found in findings.sizes.values() for run in found.without_event]:
        count = sum(len(found.runs) for found in findings.sizes.values())
        restless = sum(run["ended"] == "not at rest" for run in missing)
        parts.append(
            f"In {len(missing)} of {count} runs no event came up to a strain of {100 * config.final_strain:g}%"
            + (f", {restless} of them because the atoms could not be brought to rest" if restless else "")
            + "; they are left out of the scores."
        )
    parts.append(
        "Each glass is scored by models that saw none of its loadings; intervals come from drawing the glasses again, "
        "and with few glasses they are rough."
    )
    if len(main.predictions) > 1:
        parts.append(
            f"That {main.best} is the best of {len(main.predictions)} was found on these very glasses, which flatters "
            "it a little."
        )
    return " ".join(parts)


def _with_interval(row: ModelScores, key: str) -> str:
    """A score with its interval in words."""
    metric = row[key]
    if not np.isfinite(metric.value):
        return UNDEFINED
    value = significant(metric.value, 2)
    if not (np.isfinite(metric.low) and np.isfinite(metric.high)):
        return value
    return f"{value} ({significant(metric.low, 2)} to {significant(metric.high, 2)})"


def _joined(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def models_table(card: RareEventScorecard) -> tuple[list[str], list[list[str]]]:
    """A model a row, the scores in columns, without intervals."""
    keys = [key for key in SCORE_NAMES if any(key in row.scores for row in card.models)]
    header = ["model", *(SCORE_NAMES[key] for key in keys)]
    rows = [
        [
            row.name,
            *(
                "–"
                if key not in row.scores
                else significant(row[key].value)
                if np.isfinite(row[key].value)
                else UNDEFINED
                for key in keys
            ),
        ]
        for row in card.models
    ]
    return header, rows


def summarise(results: Mapping[str, Any]) -> str:
    """What the terminal shows at the end."""
    cards = [results["scorecard"], *([results["larger"]["scorecard"]] if results["larger"] else [])]
    shown = []
    for stored in cards:
        card = RareEventScorecard.from_dict(stored)
        shown += [card.title, card.basis, "", text_table(*models_table(card)), ""]
    return "\n".join([*shown, *results["summary"]])
