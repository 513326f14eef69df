"""Figures of glasses under load: how they deform, when they yield, and how well that was foreseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
from plotly.subplots import make_subplots

from mechlearn.errors import InputError
from mechlearn.evaluation import RareEventScorecard, significant
from mechlearn.evaluation.classification_scorecard import CHANCE, SCORE_NAMES
from mechlearn.report.style import (
    INK,
    SOFT_INK,
    colour,
    dash,
    error_bars,
    faint,
    linear_axis,
    log_axis,
    styled,
    symbol,
)
from mechlearn.units import METAL, Units

#: Points of a curve that are drawn at most.
_POINTS_SHOWN: Final = 200

#: Scores that say nothing without the prevalence.
_FLATTERING: Final = ("recall", "auc")

_PATTERNS: Final = ("", "/", "x", ".", "\\", "+")

# ---------------------------------------------------------------------- deformation


@dataclass(frozen=True, eq=False)
class ShearCurve:
    """The stress of one specimen under one loading.

    Attributes
    ----------
    name : str
        Of specimen and loading.
    group : str
        Curves of one group have one colour: the sense of the loading, say.
    strains, stresses : (steps,)
        Of the loading, the stress in energy over length³.
    event : float
        The strain of the first event; NaN where none came.
    """

    name: str
    group: str
    strains: Float[np.ndarray, " steps"]
    stresses: Float[np.ndarray, " steps"]
    event: float


def stress_strain(curves: Sequence[ShearCurve], units: Units = METAL) -> go.Figure:
    """Draw stress against strain, the last state before each first event marked.

    Parameters
    ----------
    curves
        One a specimen and loading.
    units
        In which the stress is shown.

    Raises
    ------
    InputError
        There are none.
    """
    if not curves:
        raise InputError("drawing stress against strain: there are no curves; give at least one")
    figure = go.Figure()
    for index, group in enumerate(dict.fromkeys(curve.group for curve in curves)):
        own = [curve for curve in curves if curve.group == group]
        lines = [_thinned(curve) for curve in own]
        yielded = [curve for curve in own if np.isfinite(curve.event)]
        figure.add_scatter(
            x=np.concatenate([line[0] for line in lines]),
            y=units.stress_scale * np.concatenate([line[1] for line in lines]),
            mode="lines",
            name=group,
            legendgroup=group,
            showlegend=not yielded,
            line={"color": faint(colour(index), 0.6), "width": 1.3},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[100 * curve.event for curve in yielded],
            y=[units.stress_scale * _stress_before(curve) for curve in yielded],
            text=[curve.name for curve in yielded],
            mode="markers",
            name=group,
            showlegend=bool(yielded),
            legendgroup=group,
            marker={
                "color": colour(index),
                "symbol": symbol(index),
                "size": 9,
                "line": {"color": "white", "width": 1},
            },
            hovertemplate=f"<b>%{{text}}</b><br>first event at %{{x:.3f}}%, %{{y:.3f}} {units.stress}<extra></extra>",
        )
    figure.update_xaxes(linear_axis("strain (%)") | {"rangemode": "tozero"})
    figure.update_yaxes(linear_axis(f"stress of the loading ({units.stress})"))
    styled(figure)
    return figure.update_layout(showlegend=True)


def _stress_before(curve: ShearCurve) -> float:
    """The stress of the last state before the first event."""
    step = int(np.searchsorted(curve.strains, curve.event, side="right")) - 1
    return float(curve.stresses[max(0, step)])


def _thinned(curve: ShearCurve) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Strain in % and stress of evenly chosen steps and those about the event, and a gap after them."""
    steps = len(curve.strains)
    shown = np.linspace(0, steps - 1, min(steps, _POINTS_SHOWN)).round().astype(np.int64)
    if np.isfinite(curve.event):
        about = int(np.searchsorted(curve.strains, curve.event, side="right"))
        shown = np.union1d(shown, np.clip([about - 1, about], 0, steps - 1))
    return np.append(100 * curve.strains[shown], np.nan), np.append(curve.stresses[shown], np.nan)


def event_strains(strains: Mapping[str, Float[np.ndarray, " _"]], bins: int = 20) -> go.Figure:
    """Draw at which strains first events came, the groups stacked.

    Parameters
    ----------
    strains
        By group, such as the sense of the loading; NaN where none came.
    bins
        Of equal width, from zero.

    Raises
    ------
    InputError
        No event came in any group.
    """
    known = {name: values[np.isfinite(values)] for name, values in strains.items()}
    together = np.concatenate(list(known.values())) if known else np.empty(0)
    if len(together) == 0:
        raise InputError("drawing strains of events: no event came; strain further")
    edges = np.linspace(0.0, 100 * float(together.max()), bins + 1)
    figure = go.Figure()
    for index, (name, values) in enumerate(known.items()):
        figure.add_bar(
            x=0.5 * (edges[1:] + edges[:-1]),
            y=np.histogram(100 * values, edges)[0],
            width=edges[1],
            name=name,
            marker={
                "color": colour(index),
                "line": {"color": "white", "width": 1},
                "pattern": {
                    "shape": _PATTERNS[index % len(_PATTERNS)],
                    "bgcolor": colour(index),
                    "fgcolor": "white",
                    "size": 6,
                    "solidity": 0.15,
                },
            },
            hovertemplate=f"<b>{name}</b><br>about %{{x:.2f}}%: %{{y}} runs<extra></extra>",
        )
    median = 100 * float(np.median(together))
    figure.add_vline(x=median, line={"color": INK, "dash": "dash", "width": 1.4})
    missing = sum(map(len, strains.values())) - len(together)
    figure.add_annotation(
        x=1.0,
        xref="paper",
        y=1.0,
        yref="paper",
        text=f"{len(together)} events, median {significant(median)}%"
        + (f"<br>{missing} run{'s' * (missing > 1)} without event" if missing else ""),
        showarrow=False,
        align="right",
        xanchor="right",
        yanchor="top",
        font={"color": SOFT_INK},
    )
    figure.update_xaxes(linear_axis("strain of the first event (%)") | {"range": [0, 1.02 * edges[-1]]})
    figure.update_yaxes(linear_axis("runs"))
    styled(figure, height=380)
    return figure.update_layout(barmode="stack", bargap=0, showlegend=True, legend={"traceorder": "normal"})


# ---------------------------------------------------------------------- scores


@dataclass(frozen=True, eq=False)
class StrainSeries:
    """A score of one model where the event came within each bin of strain.

    Attributes
    ----------
    name : str
        Of the model.
    values, low, high : (bins,)
        The score with its interval; NaN where there are no runs.
    """

    name: str
    values: Float[np.ndarray, " bins"]
    low: Float[np.ndarray, " bins"]
    high: Float[np.ndarray, " bins"]

    @classmethod
    def of(cls, cards: Sequence[RareEventScorecard | None], name: str, key: str) -> StrainSeries:
        """One score of one model, from a scorecard for each bin; None where there are no runs."""
        metrics = [None if card is None else card[name][key] for card in cards]
        ends = [[np.nan] * 3 if one is None else [one.value, one.low, one.high] for one in metrics]
        return cls(name, *np.array(ends, dtype=np.float64).reshape(-1, 3).T)


def score_against_strain(
    series: Sequence[StrainSeries],
    edges: Float[np.ndarray, " edges"],
    runs: Int[np.ndarray, " bins"],
    score: str = SCORE_NAMES["ap_lift"],
    chance: float | None = 1.0,
    *,
    logarithmic: bool = True,
) -> go.Figure:
    """Draw a score against the strain at which the event came, above the number of runs.

    Parameters
    ----------
    series
        One a model.
    edges
        Of the bins of strain.
    runs
        In each bin.
    score
        What it is called.
    chance
        What a ranking that knows nothing gets; None where no one number says it.
    logarithmic
        Whether the score is drawn so; false for a share.

    Raises
    ------
    InputError
        There is no model, or a series has not one number a bin.
    """
    if not series or any(len(one.values) != len(edges) - 1 for one in series) or len(runs) != len(edges) - 1:
        raise InputError(
            f"drawing {score} against strain: {len(series)} models, {len(edges)} edges and {len(runs)} numbers of "
            "runs do not fit; give at least one model, and one number a bin"
        )
    # Evenly apart: bins are narrow where events are many.
    places, bins = np.arange(len(runs), dtype=np.float64), bin_names(edges)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09, row_heights=[0.74, 0.26])
    for index, one in enumerate(series):
        # Side by side within the bin, or their intervals would cover each other.
        aside = (index - 0.5 * (len(series) - 1)) * min(0.12, 0.6 / len(series))
        figure.add_scatter(
            x=places + aside,
            y=one.values,
            error_y=error_bars(one.values.tolist(), one.low.tolist(), one.high.tolist()),
            customdata=[[name, *ends] for name, *ends in zip(bins, one.low, one.high, strict=True)],
            mode="lines+markers",
            name=one.name,
            line={"color": colour(index), "dash": dash(index), "width": 1.8},
            marker={"symbol": symbol(index), "size": 9},
            hovertemplate=f"<b>{one.name}</b><br>events at %{{customdata[0]}} strain<br>"
            f"{score} %{{y:.3g}} (%{{customdata[1]:.3g}} to %{{customdata[2]:.3g}})<extra></extra>",
            row=1,
            col=1,
        )
    figure.add_bar(
        x=places,
        y=runs,
        width=0.92,
        name="runs",
        showlegend=False,
        marker={"color": faint(SOFT_INK, 0.45)},
        hovertemplate="%{y} runs<extra></extra>",
        row=2,
        col=1,
    )
    if chance is not None:
        figure.add_hline(y=chance, line={"color": SOFT_INK, "dash": "dash", "width": 1.4}, row=1, col=1)
        figure.add_annotation(
            x=len(runs) - 0.5,
            y=np.log10(chance) if logarithmic else chance,  # a logarithmic axis takes annotations so
            text="chance",
            showarrow=False,
            xanchor="right",
            yanchor="bottom",
            font={"color": SOFT_INK},
        )
    ends = [value for one in series for column in (one.values, one.low, one.high) for value in column]
    axis = log_axis([*ends, chance or np.nan], score) if logarithmic else linear_axis(score) | {"rangemode": "tozero"}
    figure.update_yaxes(axis, row=1)
    figure.update_yaxes(linear_axis("runs") | {"rangemode": "tozero", "nticks": 4}, row=2)
    figure.update_xaxes(range=[-0.5, len(runs) - 0.5], tickvals=places, ticktext=bins, showgrid=False)
    figure.update_xaxes(title_text="strain of the first event", row=2)
    styled(figure, height=460)
    return figure.update_layout(showlegend=True, legend={"y": 1.03})


def bin_names(edges: Float[np.ndarray, " edges"]) -> list[str]:
    """Bins of strain in per cent, as a figure and a table name them.

    Parameters
    ----------
    edges
        From the least to the largest strain, a pure number.

    Examples
    --------
    >>> bin_names(np.array([0.0, 0.002, 0.0131]))
    ['0 to 0.2%', '0.2 to 1.3%']
    """
    return [f"{100 * low:.2g} to {100 * high:.2g}%" for low, high in pairwise(edges)]


def score_bars(card: RareEventScorecard, key: str = "ap_lift") -> go.Figure:
    """Draw one score of every model as bars with intervals, and the line of chance.

    Parameters
    ----------
    card
        The scores; its last row is chance.
    key
        Of the score, as in the scorecard; recall and AUC are refused.

    Raises
    ------
    InputError
        The card lacks the score, or it is one that flatters alone.
    """
    if key in _FLATTERING:
        raise InputError(f"drawing {SCORE_NAMES[key]}: alone it would flatter; draw 'ap_lift' and give the scorecard")
    rows = [model for model in card.models if key in model.scores]
    models = [model for model in rows if model.name != CHANCE]
    if not models:
        raise InputError(
            f"drawing scores: no model of '{card.title}' has {key!r}; choose from {', '.join(SCORE_NAMES)}"
        )
    metrics = [model[key] for model in models]
    values = [metric.value for metric in metrics]
    bars = error_bars(values, [metric.low for metric in metrics], [metric.high for metric in metrics])
    figure = go.Figure()
    figure.add_bar(
        x=values,
        y=[model.name for model in models],
        orientation="h",
        error_x=bars | {"color": INK, "thickness": 1.5, "width": 5},
        customdata=[str(metric) for metric in metrics],
        name=SCORE_NAMES[key],
        marker={"color": colour(0)},
        width=0.6,
        hovertemplate=f"<b>%{{y}}</b><br>{SCORE_NAMES[key]} %{{customdata}}<extra></extra>",
    )
    chance = next((model[key].value for model in rows if model.name == CHANCE), np.nan)
    if np.isfinite(chance):
        figure.add_vline(x=chance, line={"color": colour(1), "dash": "dash", "width": 1.8})
        figure.add_annotation(
            x=chance,
            yref="paper",
            y=1.0,
            text=f"chance {chance:.3g}",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"color": colour(1)},
        )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", type="category")
    figure.update_xaxes(linear_axis(SCORE_NAMES[key]) | {"rangemode": "tozero"})
    styled(figure, height=130 + 38 * len(models))
    return figure.update_layout(showlegend=False)
