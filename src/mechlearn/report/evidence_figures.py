"""Figures of evidence for equations: how many terms, how sure their coefficients, which symmetry, how often right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
from plotly.subplots import make_subplots

from mechlearn.errors import InputError
from mechlearn.report.style import (
    GRID,
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


@dataclass(frozen=True, eq=False)
class PathPoint:
    """The best set of terms of one size.

    Attributes
    ----------
    size : int
        How many terms.
    terms : str
        Which.
    criterion : float
        What is made least.
    held_out_error : float
        Relative error on samples left out.
    """

    size: int
    terms: str
    criterion: float
    held_out_error: float


@dataclass(frozen=True, eq=False)
class TermPath:
    """The path to one equation.

    Attributes
    ----------
    name : str
        Its left-hand side.
    points : sequence of PathPoint
        One a size.
    chosen : int
        The size that was chosen.
    """

    name: str
    points: Sequence[PathPoint]
    chosen: int


def regularisation_path(paths: Sequence[TermPath]) -> go.Figure:
    """Draw criterion and error against the number of terms, with the chosen number ringed.

    Parameters
    ----------
    paths
        One an equation.

    Raises
    ------
    InputError
        If there are no paths, or one has no points.
    """
    if not paths or not all(path.points for path in paths):
        raise InputError("drawing a path of regularisation: it has no points; give at least one")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    drawn: dict[int, list[float]] = {1: [], 2: []}
    for index, path in enumerate(paths):
        points = sorted(path.points, key=lambda point: point.size)
        least = min(point.criterion for point in points)
        for row, name, values in (
            # One is added, for the least has no logarithm.
            (1, "criterion over its least", [point.criterion - least + 1 for point in points]),
            (2, "error on samples left out", [point.held_out_error for point in points]),
        ):
            drawn[row] += values
            figure.add_scatter(
                x=[point.size for point in points],
                y=values,
                text=[point.terms or "none" for point in points],
                mode="lines+markers",
                name=path.name,
                legendgroup=path.name,
                showlegend=row == 1 and len(paths) > 1,
                line={"color": colour(index), "dash": dash(index), "width": 1.5},
                marker={"symbol": symbol(index), "size": 8},
                hovertemplate=f"<b>{path.name}</b>, %{{x}} terms: %{{text}}<br>{name} %{{y:.4g}}<extra></extra>",
                row=row,
                col=1,
            )
            figure.add_scatter(
                x=[point.size for point in points if point.size == path.chosen],
                y=[value for point, value in zip(points, values, strict=True) if point.size == path.chosen],
                mode="markers",
                name="chosen",
                legendgroup="chosen",
                showlegend=row == 1 and path is paths[-1],
                cliponaxis=False,
                marker={"symbol": "circle-open", "size": 17, "color": INK, "line": {"width": 2}},
                hoverinfo="skip",
                row=row,
                col=1,
            )
    figure.update_yaxes(log_axis(drawn[1], "criterion, less<br>its least, plus 1"), row=1)
    figure.update_yaxes(log_axis(drawn[2], "relative error on<br>samples left out"), row=2)
    figure.update_xaxes(title_text="terms in the equation", row=2)
    figure.update_xaxes(dtick=1)
    styled(figure, height=440)
    figure.update_layout(legend={"y": 1.04}, margin={"t": 56})
    return figure


@dataclass(frozen=True)
class CoefficientPoint:
    """A coefficient with its interval.

    Attributes
    ----------
    label : str
        The row: data and term.
    series : str
        What shares a colour: the noise.
    value, low, high : float
        The coefficient and its interval.
    truth : float
        What it should be; NaN where that is not known.
    """

    label: str
    series: str
    value: float
    low: float
    high: float
    truth: float


def coefficient_intervals(points: Sequence[CoefficientPoint]) -> go.Figure:
    """Draw coefficients with their intervals, a row each, as shares of their true values.

    Raises
    ------
    InputError
        If there are no coefficients, or a true value is not known or zero.
    """
    if not points:
        raise InputError("drawing coefficients: there are none; give at least one")
    if unknown := [point.label for point in points if not (np.isfinite(point.truth) and point.truth)]:
        raise InputError(f"drawing coefficients: the true value of {unknown[0]} is not known; leave it out")
    figure = go.Figure()
    for index, series in enumerate(dict.fromkeys(point.series for point in points)):
        own = [point for point in points if point.series == series]
        values = [point.value / point.truth for point in own]
        ends = [sorted((point.low / point.truth, point.high / point.truth)) for point in own]
        figure.add_scatter(
            x=values,
            y=[point.label for point in own],
            error_x=error_bars(values, [low for low, _ in ends], [high for _, high in ends]),
            customdata=[[point.value, point.low, point.high, point.truth] for point in own],
            mode="markers",
            name=series,
            marker={"color": colour(index), "symbol": symbol(index), "size": 9},
            hovertemplate=(
                f"<b>%{{y}}</b>, {series}<br>%{{customdata[0]:.4g}} (%{{customdata[1]:.4g}} to "
                "%{customdata[2]:.4g}), true %{customdata[3]:.4g}<extra></extra>"
            ),
        )
    figure.add_vline(x=1.0, line={"color": SOFT_INK, "dash": "dash", "width": 1.2})
    figure.update_xaxes(linear_axis("coefficient over its true value"))
    figure.update_yaxes(autorange="reversed", gridcolor=GRID)
    rows = len({point.label for point in points})
    styled(figure, height=150 + 34 * rows)
    figure.update_layout(margin={"t": 64})
    return figure


@dataclass(frozen=True)
class GroupPoint:
    """What the data say of one symmetry.

    Attributes
    ----------
    group : str
        Its name.
    terms : int
        How many terms it allows.
    held_out_error : float
        Relative error on samples left out.
    adequate, chosen : bool
        Whether it predicts as well as the best; whether it is the answer.
    share : float
        In what share of resamples it is the answer.
    """

    group: str
    terms: int
    held_out_error: float
    adequate: bool
    chosen: bool
    share: float


def symmetry_evidence(points: Sequence[GroupPoint]) -> go.Figure:
    """Draw the held-out error of every symmetry, a row each from the most symmetric to the least.

    Raises
    ------
    InputError
        If there are no symmetries.
    """
    if not points:
        raise InputError("drawing the evidence for symmetries: there are none; give at least one")
    points = sorted(points, key=lambda point: point.terms)
    figure = go.Figure()
    kinds = {
        "worse on samples left out": (1, [point for point in points if not point.adequate]),
        "as good, with more terms": (5, [point for point in points if point.adequate and not point.chosen]),
        "as good as the best, with the fewest terms: the answer": (0, [point for point in points if point.chosen]),
    }
    for name, (index, own) in kinds.items():
        figure.add_scatter(
            x=[point.held_out_error for point in own],
            y=[_row_name(point) for point in own],
            customdata=[100 * point.share for point in own],
            mode="markers",
            name=name,
            marker={"color": colour(index), "symbol": symbol(index), "size": 14 if index == 0 else 10},
            hovertemplate=(
                "<b>%{y}</b><br>held-out error %{x:.4g}<br>the answer in %{customdata:.0f}% of resamples<extra></extra>"
            ),
        )
    errors = [point.held_out_error for point in points]
    title = "relative error on samples left out"
    wide = max(errors) > 10 * min(errors) > 0
    figure.update_xaxes(log_axis(errors, title) if wide else linear_axis(title) | {"rangemode": "tozero"})
    figure.update_yaxes(
        categoryorder="array", categoryarray=[_row_name(point) for point in points], autorange="reversed"
    )
    styled(figure, height=140 + 30 * len(points))
    figure.update_layout(legend={"y": 1.04}, margin={"t": 72})
    return figure


def _row_name(point: GroupPoint) -> str:
    return f"{point.group}, {point.terms} term{'s' * (point.terms != 1)}"


def recovery_shares(
    noises: Float[np.ndarray, " noises"],
    exact: Mapping[str, Int[np.ndarray, " noises"]],
    tried: Int[np.ndarray, " noises"],
) -> go.Figure:
    """Draw how often exactly the right terms are found, against the noise.

    Parameters
    ----------
    noises
        Standard deviation over that of the field.
    exact
        By name of the method: in how many draws of the noise.
    tried
        How many draws there were.

    Raises
    ------
    InputError
        If there are no methods.
    """
    if not exact:
        raise InputError("drawing how often equations are found: there is no method; give at least one")
    figure = go.Figure()
    for index, (name, counts) in enumerate(exact.items()):
        figure.add_scatter(
            x=100 * noises,
            y=100 * counts / tried,
            customdata=np.stack([counts, tried], axis=1),
            mode="lines+markers",
            name=name,
            line={"color": colour(index), "dash": dash(index), "width": 2},
            marker={"symbol": symbol(index), "size": 9},
            hovertemplate=(
                f"<b>{name}</b><br>noise %{{x:.3g}}%: %{{customdata[0]}} of %{{customdata[1]}}<extra></extra>"
            ),
        )
    figure.update_xaxes(linear_axis("noise, % of the field's standard deviation"))
    figure.update_yaxes(linear_axis("draws with exactly the right terms (%)") | {"range": [-4, 104]})
    figure.update_layout(shapes=[{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 95, "y1": 95,
                                  "line": {"color": faint(SOFT_INK, 0.5), "dash": "dot", "width": 1}}])  # fmt: skip
    return styled(figure, height=360)
