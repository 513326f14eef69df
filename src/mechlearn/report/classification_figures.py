"""Figures of rare events: what is called positive, how scores hang on the label, and precision against recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
from plotly.subplots import make_subplots

from mechlearn.errors import InputError
from mechlearn.report.style import SOFT_INK, colour, dash, error_bars, linear_axis, log_axis, styled, symbol

#: Pixels.
_LEGEND_LINE = 22


@dataclass(frozen=True, eq=False)
class DetectionSeries:
    """How often one model calls atoms of each magnitude positive.

    Attributes
    ----------
    name : str
        Of the model.
    called, low, high : (bins,)
        The share, with its interval; NaN where there are no atoms.
    """

    name: str
    called: Float[np.ndarray, " bins"]
    low: Float[np.ndarray, " bins"]
    high: Float[np.ndarray, " bins"]


def detection_plot(
    series: Sequence[DetectionSeries],
    edges: Float[np.ndarray, " edges"],
    atoms: Int[np.ndarray, " bins"],
    threshold: float,
    magnitude: str = "D²min (Å²)",
) -> go.Figure:
    """Draw the share of atoms called positive by what they did, above the number of atoms that did so.

    Above the threshold the share is the recall; below it every call is a false alarm, and there are far more atoms.

    Parameters
    ----------
    series
        One a model.
    edges
        Of the bins of magnitude, positive.
    atoms
        In each bin.
    threshold
        Above which an atom is positive.
    magnitude
        What was binned, with its unit.

    Raises
    ------
    InputError
        If there are no models, or an edge is not positive.
    """
    if not series or not (edges > 0).all():
        raise InputError("drawing what is called positive: give at least one model, and edges above zero")
    middles = np.sqrt(edges[1:] * edges[:-1])
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1, row_heights=[0.62, 0.38])
    for index, one in enumerate(series):
        figure.add_scatter(
            x=middles,
            y=100 * one.called,
            error_y=error_bars(*((100 * ends).tolist() for ends in (one.called, one.low, one.high))),
            customdata=atoms,
            mode="lines+markers",
            name=one.name,
            line={"color": colour(index), "dash": dash(index), "width": 2},
            marker={"symbol": symbol(index), "size": 8},
            hovertemplate=f"<b>{one.name}</b><br>{magnitude} %{{x:.3g}}: %{{y:.3g}}% of %{{customdata:,}} atoms"
            "<extra></extra>",
            row=1,
            col=1,
        )
    figure.add_scatter(
        x=middles,
        y=np.where(atoms > 0, atoms, np.nan),
        mode="lines+markers",
        name="atoms",
        showlegend=False,
        line={"color": SOFT_INK, "width": 1.5, "shape": "hvh"},
        marker={"size": 5},
        hovertemplate=f"{magnitude} %{{x:.3g}}: %{{y:,}} atoms<extra></extra>",
        row=2,
        col=1,
    )
    figure.add_vline(x=threshold, line={"color": SOFT_INK, "dash": "dash", "width": 1.2})
    figure.update_yaxes(linear_axis("called positive (%)") | {"rangemode": "tozero"}, row=1)
    figure.update_yaxes(log_axis(atoms, "atoms"), row=2)
    horizontal = log_axis(edges, magnitude)
    figure.update_xaxes(horizontal, row=2)
    figure.update_xaxes(horizontal | {"title_text": ""}, row=1)
    # The legend has two names a line.
    above = _LEGEND_LINE * ((len(series) + 1) // 2)
    styled(figure, height=440 + above)
    figure.update_layout(legend={"y": 1.04}, margin={"t": 34 + above})
    return figure


@dataclass(frozen=True, eq=False)
class SweepSeries:
    """One score at every threshold of the label.

    Attributes
    ----------
    name : str
        Of the score, ``"precision"``.
    values, low, high : (thresholds,)
        NaN where it is undefined.
    """

    name: str
    values: Float[np.ndarray, " thresholds"]
    low: Float[np.ndarray, " thresholds"]
    high: Float[np.ndarray, " thresholds"]


def threshold_sweep_plot(
    thresholds: Float[np.ndarray, " thresholds"],
    class_ratio: Float[np.ndarray, " thresholds"],
    scores: Sequence[SweepSeries],
    magnitude: str = "threshold of D²min (Å²)",
) -> go.Figure:
    """Draw the class ratio and every score against the threshold of the label, a panel each.

    Parameters
    ----------
    thresholds
        Above which an atom is positive.
    class_ratio
        Positive atoms over the others.
    scores
        Each in a panel of its own.
    magnitude
        What the threshold is on, with its unit.

    Raises
    ------
    InputError
        If there are no scores, or recall or AUC would stand without precision and AP.
    """
    names = [one.name for one in scores]
    if not scores or ({"recall", "AUC"} & set(names) and not {"precision", "AP"} <= set(names)):
        raise InputError("drawing a sweep: recall or AUC alone would flatter; give precision and AP beside")
    panels = [SweepSeries("class ratio", class_ratio, class_ratio, class_ratio), *scores]
    rows = -(-len(panels) // 2)
    figure = make_subplots(rows=rows, cols=2, shared_xaxes="all", vertical_spacing=0.24 / rows, horizontal_spacing=0.13)
    for place, one in enumerate(panels):
        row, column = place // 2 + 1, place % 2 + 1
        figure.add_scatter(
            x=thresholds,
            y=one.values,
            error_y=error_bars(one.values.tolist(), one.low.tolist(), one.high.tolist()),
            mode="lines+markers",
            name=one.name,
            showlegend=False,
            line={"color": SOFT_INK if place == 0 else colour(0), "width": 1.8},
            marker={"size": 7},
            hovertemplate=f"threshold %{{x:.3g}}<br>{one.name} %{{y:.3g}}<extra></extra>",
            row=row,
            col=column,
        )
        axis = log_axis(one.values, one.name) if place == 0 else linear_axis(one.name)
        figure.update_yaxes(axis, row=row, col=column)
    figure.update_xaxes(log_axis(thresholds, ""))
    for column in (1, 2):
        last = rows if column == 1 or len(panels) % 2 == 0 else rows - 1
        figure.update_xaxes(title_text=magnitude, showticklabels=True, row=last, col=column)
    styled(figure, height=110 + 190 * rows)
    figure.update_layout(margin={"t": 24})
    return figure


@dataclass(frozen=True, eq=False)
class PrecisionRecallSeries:
    """Precision against recall of one model.

    Attributes
    ----------
    name : str
        Of the model.
    recall, precision : (levels,)
        Recall ascends.
    average_precision : float
        The area beneath.
    """

    name: str
    recall: Float[np.ndarray, " levels"]
    precision: Float[np.ndarray, " levels"]
    average_precision: float


def precision_recall_plot(series: Sequence[PrecisionRecallSeries], prevalence: float) -> go.Figure:
    """Draw precision against recall, with the line of chance at the prevalence.

    Parameters
    ----------
    series
        One a model.
    prevalence
        The share of positive atoms.

    Raises
    ------
    InputError
        If there are no models, or no atom is positive.
    """
    if not series or not prevalence > 0:
        raise InputError("drawing precision against recall: give at least one model, and labels with positive atoms")
    figure = go.Figure()
    for index, one in enumerate(series):
        figure.add_scatter(
            x=one.recall,
            y=one.precision,
            mode="lines",
            name=f"{one.name} (AP {one.average_precision:.3g}, {one.average_precision / prevalence:.3g} × prevalence)",
            line={"color": colour(index), "dash": dash(index), "width": 2, "shape": "vh"},
            hovertemplate=f"<b>{one.name}</b><br>recall %{{x:.3f}}, precision %{{y:.4g}}<extra></extra>",
        )
    figure.add_hline(y=prevalence, line={"color": SOFT_INK, "dash": "dash", "width": 1.4})
    figure.add_annotation(
        x=1.0,
        y=np.log10(prevalence),  # a logarithmic axis takes annotations so
        text=f"chance: prevalence {prevalence:.3g}",
        showarrow=False,
        xanchor="right",
        yanchor="top",
        font={"color": SOFT_INK},
    )
    # Half the prevalence leaves room for the words below the line.
    everything = np.concatenate([[prevalence / 2], *[one.precision for one in series]])
    figure.update_yaxes(log_axis(everything, "precision"))
    figure.update_xaxes(linear_axis("recall") | {"range": [-0.02, 1.02]})
    # Above the curves the legend has a line a model.
    above = _LEGEND_LINE * len(series)
    styled(figure, height=340 + above)
    figure.update_layout(showlegend=True, margin={"t": 48 + above})
    return figure
