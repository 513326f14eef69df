"""Figures of models: accuracy against size, energy conservation, parity, learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from mechlearn.errors import InputError
from mechlearn.evaluation.scorecard import Metric
from mechlearn.report.data_figures import POINTS_SHOWN
from mechlearn.report.style import (
    SEQUENTIAL,
    SOFT_INK,
    colour,
    error_bars,
    faint,
    linear_axis,
    log_axis,
    styled,
    symbol,
)


@dataclass(frozen=True)
class ModelPoint:
    """One model in the figure of accuracy against size.

    Attributes
    ----------
    name : str
        ``"A1, D = 30"``.
    family : str
        What shares a colour and a marker: ``"quadratic"``.
    panel : str
        The set trained and tested on.
    parameters : int
        How many numbers were fitted.
    rmse : Metric
        With its interval.
    """

    name: str
    family: str
    panel: str
    parameters: int
    rmse: Metric


def accuracy_against_size(points: Sequence[ModelPoint]) -> go.Figure:
    """Draw RMSE against the number of parameters on logarithmic axes, one panel a data set.

    Raises
    ------
    InputError
        If there are no points.
    """
    if not points:
        raise InputError("drawing accuracy against size: there are no models; give at least one")
    panels = list(dict.fromkeys(point.panel for point in points))
    families = list(dict.fromkeys(point.family for point in points))
    figure = make_subplots(
        rows=1,
        cols=len(panels),
        shared_yaxes=True,
        subplot_titles=[f"<b>{panel}</b>" for panel in panels],
        horizontal_spacing=0.04,
    )
    seen: set[str] = set()
    for column, panel in enumerate(panels, start=1):
        for index, family in enumerate(families):
            own = [point for point in points if point.panel == panel and point.family == family]
            if not own:
                continue
            figure.add_scatter(
                x=[point.parameters for point in own],
                y=[point.rmse.value for point in own],
                error_y=error_bars(
                    [point.rmse.value for point in own],
                    [point.rmse.low for point in own],
                    [point.rmse.high for point in own],
                ),
                text=[point.name for point in own],
                customdata=[str(point.rmse) for point in own],
                mode="markers",
                name=family,
                legendgroup=family,
                showlegend=family not in seen,
                marker={
                    "color": colour(index),
                    "symbol": symbol(index),
                    "size": 10,
                    "line": {"color": "white", "width": 1},
                },
                hovertemplate="<b>%{text}</b><br>%{x:,} parameters<br>RMSE %{customdata}<extra></extra>",
                row=1,
                col=column,
            )
            seen.add(family)
    ends = [end for p in points for end in (p.rmse.value, p.rmse.low, p.rmse.high)]
    figure.update_xaxes(log_axis([point.parameters for point in points], "parameters"))
    figure.update_yaxes(log_axis(ends, ""))
    figure.update_yaxes(title_text=f"energy RMSE ({points[0].rmse.unit})", col=1)
    styled(figure, height=460)
    figure.update_layout(legend={"y": 1.1}, margin={"t": 84})
    return figure


@dataclass(frozen=True, eq=False)
class ConservationSeries:
    """How far a model's energy strays in constant-energy dynamics, timestep by timestep.

    Attributes
    ----------
    name : str
        The model.
    timesteps : (steps,)
        fs.
    deviations : (steps,)
        The mean |H(t) − H(0)| per atom, eV/atom.
    order : float
        The power of the timestep fitted to the small ones; NaN where it could not be.
    """

    name: str
    timesteps: Float[np.ndarray, " steps"]
    deviations: Float[np.ndarray, " steps"]
    order: float


def energy_conservation(series: Sequence[ConservationSeries]) -> go.Figure:
    """Draw the energy deviation against the timestep on logarithmic axes, with a line of second order.

    Raises
    ------
    InputError
        If there are no series.
    """
    if not series:
        raise InputError("drawing energy conservation: there are no models; give at least one")
    figure = go.Figure()
    for index, each in enumerate(series):
        order = f"order {each.order:.2f}" if np.isfinite(each.order) else "order not fitted"
        positive = np.where(each.deviations > 0, each.deviations, np.nan)
        figure.add_scatter(
            x=each.timesteps,
            y=positive,
            mode="lines+markers",
            name=f"{each.name} ({order})",
            line={"color": colour(index), "width": 1.5},
            marker={"symbol": symbol(index), "size": 8, "line": {"color": "white", "width": 1}},
            hovertemplate=f"<b>{each.name}</b>, {order}<br>%{{x:.3g}} fs: %{{y:.3e}} eV/atom<extra></extra>",
        )
    steps = np.concatenate([each.timesteps for each in series])
    deviations = np.concatenate([each.deviations for each in series])
    usable = np.isfinite(deviations) & (deviations > 0)
    if usable.any():
        ends = np.array([steps[usable].min(), steps[usable].max()])
        # Half of the lowest curve at the smallest timestep: beside the data, not across them.
        start = 0.5 * deviations[usable & (steps == ends[0])].min()
        guide = start * (ends / ends[0]) ** 2
        figure.add_scatter(
            x=ends,
            y=guide,
            mode="lines",
            name="second order, δt²",
            line={"color": SOFT_INK, "dash": "dash", "width": 1.5},
            hoverinfo="skip",
        )
        deviations = np.append(deviations, guide)
    figure.update_xaxes(log_axis(steps, "timestep δt (fs)"))
    figure.update_yaxes(log_axis(deviations, "energy deviation ⟨|ΔH|⟩ (eV/atom)"))
    styled(figure, height=480)
    figure.update_layout(
        legend={
            "orientation": "v",
            "x": 0.01,
            "y": 0.99,
            "yanchor": "top",
            "bgcolor": "rgba(255,255,255,0.8)",
        },
        margin={"t": 24},
    )
    return figure


def parity(
    reference: Float[np.ndarray, " values"],
    predicted: Float[np.ndarray, " values"],
    quantity: str = "energy",
    unit: str = "eV/atom",
    groups: Sequence[str] | None = None,
) -> go.Figure:
    """Draw predictions against their reference; a density where there are too many points to see each.

    Parameters
    ----------
    reference, predicted : (values,)
        Both in ``unit``.
    quantity, unit
        For the axes.
    groups : (values,), optional
        Told apart by colour, where every point is drawn.
    """
    known = np.isfinite(reference) & np.isfinite(predicted)
    x, y = reference[known], predicted[known]
    if len(x) == 0:
        raise InputError(f"drawing parity of {quantity}: no value has both a label and a prediction")
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    figure = go.Figure()
    figure.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        line={"color": SOFT_INK, "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    if len(x) > POINTS_SHOWN:
        counts, across, along = np.histogram2d(x, y, bins=90, range=[[low, high], [low, high]])
        figure.add_heatmap(
            x=0.5 * (across[1:] + across[:-1]),
            y=0.5 * (along[1:] + along[:-1]),
            z=np.log10(np.where(counts.T > 0, counts.T, np.nan)).astype(np.float32),
            customdata=counts.T.astype(np.int32),
            colorscale=SEQUENTIAL,
            colorbar={
                "title": {"text": "log₁₀ of values in a bin", "side": "right"},
                "thickness": 12,
                "outlinewidth": 0,
            },
            hoverongaps=False,
            hovertemplate="reference %{x:.3g}, predicted %{y:.3g}<br>%{customdata:,} values<extra></extra>",
        )
    else:
        labels = np.asarray(groups if groups is not None else [""] * len(reference), dtype=object)[known]
        for index, group in enumerate(dict.fromkeys(labels)):
            own = labels == group
            figure.add_scatter(
                x=x[own],
                y=y[own],
                customdata=y[own] - x[own],
                mode="markers",
                name=str(group),
                showlegend=bool(group),
                marker={"color": faint(colour(index), 0.65), "symbol": symbol(index), "size": 6},
                hovertemplate=(
                    f"<b>{group}</b><br>reference %{{x:.4f}} {unit}<br>predicted %{{y:.4f}} {unit}<br>"
                    f"error %{{customdata:.2e}} {unit}<extra></extra>"
                ),
            )
    figure.update_xaxes(linear_axis(f"reference {quantity} ({unit})"))
    figure.update_yaxes(linear_axis(f"predicted {quantity} ({unit})"))
    figure.update_yaxes(scaleanchor="x", scaleratio=1)
    figure.update_xaxes(constrain="domain")
    styled(figure, height=520)
    # Read by the page: a square picture has no use for the whole width.
    figure.update_layout(meta={"max_width": 620})
    return figure


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The loss of one training run, epoch by epoch."""

    name: str
    epochs: Float[np.ndarray, " epochs"]
    training: Float[np.ndarray, " epochs"]
    validation: Float[np.ndarray, " epochs"]


def learning_curves(curves: Sequence[LearningCurve], title: str = "energy RMSE (eV/atom)") -> go.Figure:
    """Draw training (dotted) and validation (solid) errors against the epoch, on a logarithmic axis.

    Raises
    ------
    InputError
        If there are no curves.
    """
    if not curves:
        raise InputError("drawing learning curves: there are none; give at least one")
    figure = go.Figure()
    for index, curve in enumerate(curves):
        for label, values, line in (
            ("validation", curve.validation, "solid"),
            ("training", curve.training, "dot"),
        ):
            figure.add_scatter(
                x=curve.epochs,
                y=values,
                mode="lines",
                name=f"{curve.name}, {label}",
                legendgroup=curve.name,
                line={"color": colour(index), "dash": line, "width": 2 if label == "validation" else 1.3},
                hovertemplate=f"<b>{curve.name}</b>, {label}<br>epoch %{{x}}: %{{y:.4g}}<extra></extra>",
            )
    losses = np.concatenate([np.concatenate([curve.training, curve.validation]) for curve in curves])
    figure.update_xaxes(linear_axis("epoch"))
    figure.update_yaxes(log_axis(losses, title))
    return styled(figure)
