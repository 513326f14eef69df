"""Figures of transfer: distributions of errors, the matrix of sets, random against whole-group hold-out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mechlearn.errors import InputError
from mechlearn.evaluation.holdout import GroupHoldout
from mechlearn.evaluation.tables import significant
from mechlearn.evaluation.transfer import TransferMatrix
from mechlearn.report.style import (
    INK,
    SEQUENTIAL,
    colour,
    dash,
    error_bars,
    faint,
    log_axis,
    styled,
    symbol,
)


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
            error_y=error_bars(
                [metric.value for metric in metrics],
                [metric.low for metric in metrics],
                [metric.high for metric in metrics],
            )
            | {"thickness": 2, "width": 7},
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
