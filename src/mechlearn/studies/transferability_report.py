"""The report of the study: what was found in plain words, then the paper's figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from mechlearn.evaluation import GroupHoldout, Metric, Scorecard, significant
from mechlearn.report import (
    ConservationSeries,
    Highlight,
    ModelPoint,
    Picture,
    Report,
    Section,
    Table,
    Text,
    accuracy_against_size,
    descriptor_densities,
    energy_conservation,
    energy_distributions,
    error_distributions,
    holdout_bars,
    principal_component_scatter,
    provenance,
    transfer_heatmap,
    width_bars,
)
from mechlearn.sampling import SetComparison
from mechlearn.structures import LabelReport
from mechlearn.studies.transferability_config import ENTROPY, EXPERT, SETS, TransferabilityConfig
from mechlearn.studies.transferability_models import Measured


@dataclass(frozen=True, eq=False)
class Findings:
    """All that the report tells.

    Attributes
    ----------
    comparison : SetComparison
        The expert set first, the entropy set second.
    energies : mapping of str to array
        eV/atom, a set.
    measured : sequence of Measured
        One a kind of model.
    holdout : GroupHoldout
        Of the quadratic model.
    conservation : sequence of dict
        One a model and set.
    given : Scorecard or None
        On the expert's own labels.
    labels : LabelReport or None
        What is suspect in these.
    """

    comparison: SetComparison
    energies: dict[str, np.ndarray]
    measured: Sequence[Measured]
    holdout: GroupHoldout
    conservation: Sequence[Mapping[str, Any]]
    given: Scorecard | None
    labels: LabelReport | None

    def shown(self, config: TransferabilityConfig) -> list[Measured]:
        """The models of the figure of transfer: one a family, at D = 30 where there is one."""
        chosen = []
        for family in config.shown:
            mine = [each for each in self.measured if each.plan.family == family]
            # The paper's comparison is of models trained on energies alone.
            mine.sort(key=lambda each: (each.plan.twojmax != 6, each.plan.forces))
            chosen += mine[:1]
        return chosen


def outward(measured: Measured) -> Metric:
    """How many times worse DE → EM is than EM → EM (energy RMSE on the same structures)."""
    return measured.transfer[EXPERT, ENTROPY].ratio


def inward(measured: Measured) -> Metric:
    """How many times worse EM → DE is than DE → DE."""
    return measured.transfer[ENTROPY, EXPERT].ratio


def summary(config: TransferabilityConfig, findings: Findings) -> list[str]:
    """What was found and how far to trust it, in plain words."""
    shown = findings.shown(config)
    first = (
        f"Trained on the expert-curated set, potentials make energy errors {_span(shown, outward)} times as large on "
        "the entropy-optimised set as potentials trained on that set; the other way round the factor is "
        f"{_span(shown, inward)}. {_verdict(shown)}"
    )
    unstable = [row for row in findings.conservation if not row["stable"]]
    orders = [row["order"] for row in findings.conservation if row["order"] is not None]
    dynamics = (
        f"In constant-energy dynamics the error grows with the timestep to the power "
        f"{min(orders):.2f}–{max(orders):.2f} (2 is right). "
        if orders
        else ""
    ) + (
        f"{len(unstable)} of {len(findings.conservation)} models were unstable at some timestep: "
        + "; ".join(f"{row['model']} on {row['trained_on']}" for row in unstable[:4])
        + "."
        if unstable
        else "No model was unstable."
    )
    trust = (
        f"How far to trust it: every number is measured on structures held out of training, with 95% intervals from "
        f"drawing whole structures again; both sets were labelled by {config.labeller}, so the labels are consistent "
        "but are those of that potential and not of nature. A random hold-out says nothing about structures unlike "
        f"all of the training set. {findings.holdout.sentence()}"
    )
    return [first, f"{_breadth(findings)} {dynamics}", trust]


def _breadth(findings: Findings) -> str:
    diversity = findings.comparison.second_over_first
    return (
        f"The environments of the entropy set are spread more widely than the expert's in {diversity.broader} of the "
        f"{diversity.directions} directions of descriptor space, at least five times as widely in "
        f"{diversity.broader_5x}; in the narrowest they have {significant(diversity.narrowest, 2)} of its width."
    )


def _span(measured: Sequence[Measured], factor: Callable[[Measured], Metric]) -> str:
    values = [factor(each).value for each in measured]
    low, high = significant(min(values), 2), significant(max(values), 2)
    return low if low == high else f"{low}–{high}"


def _verdict(measured: Sequence[Measured]) -> str:
    """Which direction costs more, as far as the intervals can tell."""
    clear = [each for each in measured if outward(each).low > inward(each).high]
    if len(clear) == len(measured):
        return (
            "In every model compared, the way out of the expert set costs more than the way in, beyond the 95% "
            "intervals: the diverse set is the safer ground where structures come that nobody foresaw, the expert set "
            "the more accurate one for what it holds."
        )
    if clear:
        names = "; ".join(each.plan.name for each in clear)
        return (
            "The way out of the expert set costs more than the way in, beyond the 95% intervals, for "
            f"{len(clear)} of the {len(measured)} models compared ({names})."
        )
    return "Within the 95% intervals neither way costs more than the other: this run does not prefer one set."


def build_report(config: TransferabilityConfig, findings: Findings, command: str, started: datetime) -> Report:
    """The page."""
    shown = findings.shown(config)
    diversity = findings.comparison.second_over_first
    best = max(shown, key=lambda each: outward(each).value)
    return Report(
        title=f"Does the training set make the potential? {config.element}, {config.structures:,} structures a set",
        summary=summary(config, findings),
        highlights=[
            Highlight(
                f"{significant(outward(best).value, 2)}×",
                "expert → entropy",
                f"over entropy → entropy; {best.plan.name}",
            ),
            Highlight(
                f"{significant(inward(best).value, 2)}×", "entropy → expert", f"over expert → expert; {best.plan.name}"
            ),
            Highlight(
                f"{diversity.broader} of {diversity.directions}",
                "directions in which the entropy set is broader",
                f"{diversity.broader_5x} at least five times",
            ),
            Highlight(
                f"{significant(findings.holdout.ratio.value, 2)}×", "whole-group over random hold-out", "energy RMSE"
            ),
        ],
        sections=[
            _data_section(findings),
            _accuracy_section(findings),
            _transfer_section(findings, shown),
            _holdout_section(findings),
            _conservation_section(findings, ["linear, D = 30", *(each.plan.name for each in shown)]),
            *_given_section(findings),
            _cards_section(shown),
        ],
        definitions={
            "entropy set (EM)": "structures made by maximising or minimising the entropy of their own descriptors",
            "expert set (DE)": "structures that a person chose: strained crystals, defects, surfaces, liquid, …",
            "X → Y": "trained on X, tested on held-out structures of Y",
            "D": "the number of bispectrum components that describe an atom",
            "RMSE": "root of the mean squared error; energies per atom, forces per component",
            "ZCA frame": "coordinates in which the expert set's descriptors have zero mean and unit covariance",
            "NVE": "dynamics at constant number of atoms, volume and energy",
        },
        provenance=provenance(command, config.seed, started, datetime.now(), {"labels": config.labeller}),
    )


def _data_section(findings: Findings) -> Section:
    comparison = findings.comparison
    first, second = comparison.components_of_first, comparison.components_of_second
    return Section(
        "The two sets",
        [
            Table(*comparison.table(), caption="The two sets beside each other."),
            Picture(
                energy_distributions(findings.energies),
                "Energies of the structures of each set (paper: Figure 2, left). How far does "
                "each reach above the ground state?",
                "Distributions of energy per atom of both sets",
            ),
            Picture(
                descriptor_densities({EXPERT: comparison.first.sample, ENTROPY: comparison.second.sample}, (1, 2, 3)),
                "How three low descriptors are distributed (paper: Figure 2, right); colour is logarithmic.",
                "Joint densities of three descriptors for both sets",
            ),
            Picture(
                width_bars(
                    comparison.second_over_first.widths, comparison.second_over_first.axis_widths, ENTROPY, EXPERT
                ),
                "How many times as broad the entropy set is as the expert set, direction by direction, in the frame "
                "where the expert set has unit covariance. Above 1 it is broader.",
                "Bars of relative width for every direction of descriptor space",
            ),
            Picture(
                principal_component_scatter(
                    {
                        f"components of the {EXPERT} set": {EXPERT: first.fitted, ENTROPY: first.projected},
                        f"components of the {ENTROPY} set": {ENTROPY: second.fitted, EXPERT: second.projected},
                    },
                    {
                        f"components of the {EXPERT} set": first.explained,
                        f"components of the {ENTROPY} set": second.explained,
                    },
                    order=(ENTROPY, EXPERT),
                ),
                "Both sets along the first two principal components of each (paper: Supplement). Look whether a "
                "set falls into clusters or is one cloud, and whether one lies inside the other.",
                "Scatter of both sets along principal components",
            ),
        ],
    )


def _accuracy_section(findings: Findings) -> Section:
    points = [
        ModelPoint(
            each.plan.name,
            each.plan.family[0]
            + ("-type network" if each.plan.is_network else each.plan.family[1:])
            + ("" if each.plan.forces else ", energies alone"),
            f"{name} set",
            each.parameters,
            each.transfer[name, name].rmse,
        )
        for name in SETS
        for each in findings.measured
    ]
    return Section(
        "Accuracy where they were trained",
        [
            Picture(
                accuracy_against_size(points),
                "Energy error on held-out structures of the same set against the number of fitted parameters "
                "(paper: Figure 3). Look where the points stop falling: more parameters gain nothing from there on.",
                "Validation error against number of parameters for both sets",
            )
        ],
    )


def _transfer_section(findings: Findings, shown: Sequence[Measured]) -> Section:
    matrices = [each.transfer for each in shown]
    return Section(
        "Transfer from one set to the other",
        [
            Picture(
                transfer_heatmap(matrices),
                "Energy RMSE of every pair of training and test set. Read along a column: the same test structures, "
                "another training set.",
                "Heat map of energy errors by training and test set",
            ),
            Picture(
                error_distributions(matrices),
                "Distribution of the root squared error of each structure's energy for the four pairs "
                "(paper: Figure 4).",
                "Four panels of error distributions",
            ),
            Table(*transfer_table(findings.measured, "energy"), caption="All models: energy RMSE, meV/atom."),
            Table(*transfer_table(findings.measured, "force"), caption="All models: force RMSE, eV/Å."),
        ],
    )


def transfer_table(measured: Sequence[Measured], quantity: str) -> tuple[list[str], list[list[str]]]:
    """Every model: N_DoF, and the RMSE of the four pairs (energies in meV/atom, forces in eV/Å)."""
    pairs = [(trained, tested) for tested in SETS for trained in SETS]
    header = ["model", "N_DoF", *(f"{trained} → {tested}" for trained, tested in pairs)]
    scale = 1e3 if quantity == "energy" else 1.0
    rows = [
        [
            each.plan.name,
            f"{each.parameters:,}",
            *(significant(scale * each.scorecards[pair][f"{quantity} RMSE"].value) for pair in pairs),
        ]
        for each in measured
    ]
    return header, rows


def _holdout_section(findings: Findings) -> Section:
    return Section(
        "What a random hold-out hides",
        [
            Text(findings.holdout.sentence()),
            Picture(
                holdout_bars([findings.holdout]),
                "Energy error of the quadratic model on structures held out at random, and on whole groups held out.",
                "Bars of energy error for random and group hold-out",
            ),
            Table(
                ["group", "RMSE (meV/atom)", "95% interval", "structures"],
                [
                    [metric.name, significant(1e3 * metric.value), _interval(metric), f"{metric.count:,}"]
                    for metric in findings.holdout.per_group
                ],
                caption="Each group when nothing of it was in training, the worst first.",
            ),
        ],
    )


def _interval(metric: Metric) -> str:
    if not (np.isfinite(metric.low) and np.isfinite(metric.high)):
        return "–"
    return f"{significant(1e3 * metric.low)} – {significant(1e3 * metric.high)}"


def _conservation_section(findings: Findings, drawn: Sequence[str]) -> Section:
    ordered = [row for row in findings.conservation if row["order"] is not None]
    # A legend of dozens hides what it explains; the table has them all.
    stable = [row for row in ordered if row["model"] in drawn] or ordered[:8]
    blocks: list[Any] = []
    if stable:
        series = [
            ConservationSeries(
                f"{row['model']}, {row['trained_on']}",
                np.array(row["timestep_fs"]),
                np.array([np.nan if value is None else value for value in row["deviation"]]),
                row["order"],
            )
            for row in stable
        ]
        blocks.append(
            Picture(
                energy_conservation(series),
                "Mean deviation of the total energy in constant-energy dynamics of 16 atoms at 3000 K (paper: Figure "
                "5). The dashed line is second order, what the integrator promises for smooth forces. The table has "
                "all models.",
                "Energy deviation against timestep on logarithmic axes",
            )
        )
    rows = [
        [
            row["model"],
            row["trained_on"],
            "–" if row["order"] is None else f"{row['order']:.2f}",
            "stable" if row["stable"] else next(reason for reason in row["reasons"] if reason),
        ]
        for row in findings.conservation
    ]
    blocks.append(
        Table(
            ["model", "trained on", "order", "state"],
            rows,
            caption=f"Order of the energy deviation in the timestep, from {findings.conservation[0]['order_rule']}.",
        )
    )
    return Section("Energy conservation in LAMMPS", blocks)


def _given_section(findings: Findings) -> list[Section]:
    if findings.given is None or findings.labels is None:
        return []
    header = ["what", "groups", "found"]
    rows = [
        [finding.kind, ", ".join(finding.groups[:6]) or "–", finding.message] for finding in findings.labels.findings
    ]
    blocks: list[Any] = [
        Text("The given set comes with labels of its own. They were used as they are; this is what looks suspect."),
        Table(header, rows, caption="Suspect labels; nothing was dropped or changed."),
        findings.given,
    ]
    return [Section("The expert's own labels", blocks)]


def _cards_section(shown: Sequence[Measured]) -> Section:
    return Section(
        "Scorecards",
        [card for each in shown for card in each.scorecards.values()],
    )
