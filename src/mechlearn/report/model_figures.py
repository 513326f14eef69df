"""Figures of models: accuracy against size, errors, transfer, energy conservation, parity, learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from mechlearn.errors import InputError
from mechlearn.evaluation.scorecard import Metric
from mechlearn.evaluation.tables import significant
from mechlearn.evaluation.transfer import GroupHoldout, TransferMatrix
from mechlearn.report.data_figures import POINTS_SHOWN
from mechlearn.report.style import (
    INK,
    SEQUENTIAL,
    SOFT_INK,
    colour,
    dash,
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
                error_y=_error_bars([point.rmse for point in own]),
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


def _error_bars(metrics: Sequence[Metric]) -> dict[str, object]:
    """Bars from low to high; none where an end is not known."""
    upper = [metric.high - metric.value for metric in metrics]
    lower = [metric.value - metric.low for metric in metrics]
    return {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(np.clip(upper, 0, None)),
        "arrayminus": np.nan_to_num(np.clip(lower, 0, None)),
        "thickness": 1.2,
        "width": 3,
    }


def error_distributions(matrices: Sequence[TransferMatrix]) -> go.Figure:
    """Draw the distribution of root squared errors of several models, one panel a pair of sets.

    Columns are what the models were trained on, rows what they were tested on; what is drawn is the share of
    structures per factor of ten in the error.

    Raises
    ------
    InputError
        If there is no matrix, or they do not have the same sets.
    """
    if not matrices:
        raise InputError("drawing error distributions: there are no transfer matrices; give at least one")
    trained_on, tested_on = matrices[0].trained_on, matrices[0].tested_on
    if any((each.trained_on, each.tested_on) != (trained_on, tested_on) for each in matrices):
        raise InputError("drawing error distributions: the models were trained or tested on different sets")
    figure = make_subplots(
        rows=len(tested_on),
        cols=len(trained_on),
        shared_xaxes=True,
        shared_yaxes=True,
        subplot_titles=[f"trained on <b>{a}</b>, tested on <b>{b}</b>" for b in tested_on for a in trained_on],
        horizontal_spacing=0.04,
        vertical_spacing=0.1,
    )
    reach: list[float] = []
    highest = 0.0
    for index, matrix in enumerate(matrices):
        steps = np.diff(np.log10(matrix.edges))
        centres = np.sqrt(matrix.edges[1:] * matrix.edges[:-1])
        for row, tested in enumerate(tested_on, start=1):
            for column, trained in enumerate(trained_on, start=1):
                cell = matrix[trained, tested]
                counts = np.asarray(cell.histogram, dtype=np.float64)
                density = counts / (counts.sum() * steps)
                reach += centres[counts > 0.002 * counts.sum()].tolist()
                highest = max(highest, float(density.max()))
                figure.add_scatter(
                    x=centres,
                    y=density,
                    mode="lines",
                    name=matrix.title.rstrip(","),
                    legendgroup=matrix.title,
                    showlegend=row == column == 1,
                    line={
                        "color": colour(index),
                        "dash": dash(index),
                        "width": 2,
                        "shape": "spline",
                        "smoothing": 0.6,
                    },
                    customdata=100 * counts / counts.sum(),
                    hovertemplate=(
                        f"<b>{matrix.title}</b><br>errors near %{{x:.2e}} {matrix.unit}: "
                        f"%{{customdata:.2g}}%<br>"
                        f"RMSE {cell.rmse}<br>median {significant(cell.median)}, 99% below "
                        f"{significant(cell.worst_percent)} {matrix.unit}<extra></extra>"
                    ),
                    row=row,
                    col=column,
                )
    figure.update_xaxes(log_axis(reach, ""))
    figure.update_xaxes(title_text=f"root squared error ({matrices[0].unit})", row=len(tested_on))
    figure.update_yaxes(range=[0, 1.08 * highest])
    figure.update_yaxes(title_text="share per decade", col=1)
    styled(figure, height=130 + 260 * len(tested_on))
    figure.update_layout(legend={"y": 1.07}, margin={"t": 92})
    return figure


def transfer_heatmap(matrices: Sequence[TransferMatrix]) -> go.Figure:
    """Draw transfer matrices as coloured tables: the RMSE, and how many times that of the model at home.

    Raises
    ------
    InputError
        If there is no matrix.
    """
    if not matrices:
        raise InputError("drawing transfer matrices: there are none; give at least one")
    figure = make_subplots(
        rows=1,
        cols=len(matrices),
        subplot_titles=[f"<b>{_in_lines(matrix.title.rstrip(','))}</b>" for matrix in matrices],
        shared_yaxes=True,
        horizontal_spacing=0.03,
    )
    values = np.array([cell.rmse.value for matrix in matrices for cell in matrix.cells])
    logarithms = np.log10(np.maximum(values, 1e-12))
    low, high = float(logarithms.min()), float(logarithms.max())
    for column, matrix in enumerate(matrices, start=1):
        grid = [[matrix[trained, tested] for tested in matrix.tested_on] for trained in matrix.trained_on]
        colours = np.array([[np.log10(max(cell.rmse.value, 1e-12)) for cell in row] for row in grid])
        figure.add_heatmap(
            x=list(matrix.tested_on),
            y=list(matrix.trained_on),
            z=colours,
            customdata=[[[str(cell.rmse), str(cell.ratio)] for cell in row] for row in grid],
            coloraxis="coloraxis",
            xgap=3,
            ygap=3,
            hovertemplate=(
                "trained on <b>%{y}</b>, tested on <b>%{x}</b><br>RMSE %{customdata[0]}<br>"
                "times the model at home: %{customdata[1]}<extra></extra>"
            ),
            row=1,
            col=column,
        )
        for row in grid:
            for cell in row:
                level = (np.log10(max(cell.rmse.value, 1e-12)) - low) / ((high - low) or 1.0)
                ratio = "" if cell.trained_on == cell.tested_on else f"<br>{significant(cell.ratio.value, 2)}×"
                figure.add_annotation(
                    x=cell.tested_on,
                    y=cell.trained_on,
                    text=f"<b>{significant(cell.rmse.value, 2)}</b>{ratio}",
                    showarrow=False,
                    # Dark cells are those of high values.
                    font={"size": 14, "color": "white" if level > 0.5 else INK},
                    row=1,
                    col=column,
                )
    ticks = list(range(int(np.ceil(low)), int(np.floor(high)) + 1))
    figure.update_layout(
        coloraxis={
            "colorscale": SEQUENTIAL,
            "cmin": low,
            "cmax": max(high, low + 1e-6),
            "colorbar": {
                "title": {"text": f"RMSE ({matrices[0].unit})", "side": "right"},
                "thickness": 12,
                "outlinewidth": 0,
                "tickvals": ticks,
                "ticktext": [f"10<sup>{tick}</sup>" for tick in ticks],
            },
        }
    )
    styled(figure, height=330)
    figure.update_xaxes(title_text="tested on", showgrid=False, showline=False, ticks="")
    figure.update_yaxes(autorange="reversed", showgrid=False, showline=False, ticks="")
    figure.update_yaxes(title_text="trained on", col=1)
    return figure


def _in_lines(title: str, longest: int = 22) -> str:
    """A title broken after a comma where it is too long for a narrow panel.

    Examples
    --------
    >>> _in_lines("quadratic, D = 30, energies alone")
    'quadratic, D = 30,<br>energies alone'
    """
    head, comma, tail = title.rpartition(", ")
    return f"{head},<br>{tail}" if comma and len(title) > longest else title


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


def holdout_bars(holdouts: Sequence[GroupHoldout]) -> go.Figure:
    """Draw the error of a random hold-out beside that of whole groups, with each held-out group as a point.

    Raises
    ------
    InputError
        If there are none.
    """
    if not holdouts:
        raise InputError("drawing hold-outs: there are none; give at least one")
    titles = [holdout.title.rstrip(",") for holdout in holdouts]
    figure = go.Figure()
    shown: list[float] = []
    for index, (label, metrics) in enumerate(
        (
            ("structures held out at random", [holdout.random for holdout in holdouts]),
            ("whole groups held out", [holdout.groups for holdout in holdouts]),
        )
    ):
        shown += [end for metric in metrics for end in (metric.value, metric.low, metric.high)]
        figure.add_scatter(
            x=titles,
            y=[metric.value for metric in metrics],
            error_y=_error_bars(metrics) | {"thickness": 2, "width": 7},
            customdata=[str(metric) for metric in metrics],
            mode="markers",
            name=label,
            marker={
                "color": colour(index),
                "symbol": symbol(index),
                "size": 14,
                "line": {"color": "white", "width": 1},
            },
            hovertemplate=f"<b>%{{x}}</b>, {label}<br>RMSE %{{customdata}}<extra></extra>",
        )
    rows = [(title, metric) for title, each in zip(titles, holdouts, strict=True) for metric in each.per_group]
    shown += [metric.value for _, metric in rows]
    figure.add_scatter(
        x=[title for title, _ in rows],
        y=[metric.value for _, metric in rows],
        text=[metric.name for _, metric in rows],
        customdata=[f"{metric} over {metric.count:,}" for _, metric in rows],
        mode="markers",
        name="each held-out group",
        marker={"color": faint(colour(1), 0.45), "symbol": "line-ew-open", "size": 22, "line": {"width": 2}},
        hovertemplate="<b>%{text}</b> held out, %{x}<br>RMSE %{customdata} structures<extra></extra>",
    )
    figure.update_yaxes(log_axis(shown, f"energy RMSE ({holdouts[0].random.unit})"))
    figure.update_xaxes(type="category", range=[-0.5, len(titles) - 0.5], showgrid=False)
    return styled(figure)


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
