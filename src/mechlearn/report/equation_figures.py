"""Figures of fields and trajectories: what was measured beside what equations make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from mechlearn.errors import InputError
from mechlearn.report.style import DIVERGING, SEQUENTIAL, SOFT_INK, colour, dash, faint, linear_axis, log_axis, styled

#: Residuals beyond so many standard deviations have the same colour.
_RESIDUALS_SHOWN = 4.0


def fields_beside(
    panels: Mapping[str, Float[np.ndarray, "along across"]],
    across: Float[np.ndarray, " across"],
    along: Float[np.ndarray, " along"],
    axis_titles: tuple[str, str],
    quantity: str,
) -> go.Figure:
    """Draw maps of one quantity beside each other, with one scale of colours.

    Parameters
    ----------
    panels
        The maps by title; NaN is left white.
    across, along
        The coordinates of columns and rows.
    axis_titles
        Of both coordinates, with units.
    quantity
        What the colours mean, with its unit.

    Raises
    ------
    InputError
        If there is no map, or none has a finite value.
    """
    if not panels or not any(np.isfinite(values).any() for values in panels.values()):
        raise InputError("drawing fields: there is no map with a finite value; give at least one")
    figure = make_subplots(
        rows=1,
        cols=len(panels),
        shared_xaxes="all",
        shared_yaxes="all",
        subplot_titles=[f"<b>{title}</b>" for title in panels],
        horizontal_spacing=0.04,
    )
    # The first map sets the scale: a simulation that runs away would make all else white.
    first = next(values for values in panels.values() if np.isfinite(values).any())
    low, high = float(np.nanmin(first)), float(np.nanmax(first))
    for column, (title, values) in enumerate(panels.items(), start=1):
        figure.add_heatmap(
            x=across,
            y=along,
            z=values,
            coloraxis="coloraxis",
            hoverongaps=False,
            name=title,
            hovertemplate=(
                f"<b>{title}</b><br>{axis_titles[0]} %{{x:.4g}}, {axis_titles[1]} %{{y:.4g}}<br>"
                f"{quantity} %{{z:.4g}}<extra></extra>"
            ),
            row=1,
            col=column,
        )
    figure.update_layout(coloraxis=_colours(SEQUENTIAL, low, high, quantity))
    figure.update_xaxes(linear_axis(axis_titles[0]) | {"showgrid": False})
    figure.update_yaxes({"showgrid": False})
    figure.update_yaxes(title_text=axis_titles[1], col=1)
    return styled(figure, height=360)


def residual_map(
    residuals: Mapping[str, Float[np.ndarray, "along across"]],
    across: Float[np.ndarray, " across"],
    along: Float[np.ndarray, " along"],
    axis_titles: tuple[str, str],
) -> go.Figure:
    """Draw what equations leave over, in units of its own standard deviation.

    Parameters
    ----------
    residuals
        The maps by title.
    across, along
        The coordinates of columns and rows.
    axis_titles
        Of both coordinates, with units.

    Raises
    ------
    InputError
        If there is no map.
    """
    if not residuals:
        raise InputError("drawing residuals: there are none; give at least one")
    figure = fields_beside(residuals, across, along, axis_titles, "residual over its standard deviation")
    colours = _colours(DIVERGING, -_RESIDUALS_SHOWN, _RESIDUALS_SHOWN, "residual over its<br>standard deviation")
    figure.update_layout(coloraxis=colours)
    return figure


def trajectories(
    times: Float[np.ndarray, " times"],
    measured: Mapping[str, Float[np.ndarray, " times"]],
    computed: Mapping[str, Mapping[str, Float[np.ndarray, " times"]]],
    time_title: str = "time t",
) -> go.Figure:
    """Draw variables over time, one panel each: points for what was measured, lines for what was computed.

    Parameters
    ----------
    times
        Of all series.
    measured
        By variable.
    computed
        By name of the computation, then by variable.
    time_title
        With its unit.

    Raises
    ------
    InputError
        If there is no variable.
    """
    if not measured:
        raise InputError("drawing trajectories: there is no variable; give at least one")
    figure = make_subplots(rows=len(measured), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (variable, values) in enumerate(measured.items(), start=1):
        figure.add_scatter(
            x=times,
            y=values,
            mode="markers",
            name="measured",
            legendgroup="measured",
            showlegend=row == 1,
            marker={"color": faint(SOFT_INK, 0.4), "size": 6},
            hovertemplate=f"<b>measured</b><br>t = %{{x:.4g}}: {variable} = %{{y:.4g}}<extra></extra>",
            row=row,
            col=1,
        )
        for index, (name, series) in enumerate(computed.items()):
            figure.add_scatter(
                x=times,
                y=series[variable],
                mode="lines",
                name=name,
                legendgroup=name,
                showlegend=row == 1,
                line={"color": colour(index), "dash": dash(index), "width": 2},
                hovertemplate=f"<b>{name}</b><br>t = %{{x:.4g}}: {variable} = %{{y:.4g}}<extra></extra>",
                row=row,
                col=1,
            )
        figure.update_yaxes(linear_axis(variable), row=row)
    figure.update_xaxes(title_text=time_title, row=len(measured))
    return styled(figure, height=120 + 170 * len(measured))


def simulation_errors(
    series: Mapping[str, tuple[Float[np.ndarray, " times"], Float[np.ndarray, " times"]]],
    limit: float,
    time_title: str = "time t over its end",
) -> go.Figure:
    """Draw how far simulations stray from what they should follow, against time, on a logarithmic axis.

    Parameters
    ----------
    series
        By name: times, and relative errors.
    limit
        The error at which a prediction is said to end; a dashed line.
    time_title
        Of the axis of times.

    Raises
    ------
    InputError
        If there are no series.
    """
    if not series:
        raise InputError("drawing errors of simulations: there are none; give at least one")
    figure = go.Figure()
    shown: list[float] = [limit]
    for index, (name, (times, errors)) in enumerate(series.items()):
        positive = np.where(errors > 0, errors, np.nan)
        shown += positive[np.isfinite(positive)].tolist()
        figure.add_scatter(
            x=times,
            y=positive,
            mode="lines",
            name=name,
            line={"color": colour(index), "dash": dash(index), "width": 2},
            hovertemplate=f"<b>{name}</b><br>%{{x:.3g}}: error %{{y:.3g}}<extra></extra>",
        )
    figure.add_hline(y=limit, line={"color": SOFT_INK, "dash": "dash", "width": 1})
    figure.update_xaxes(linear_axis(time_title))
    figure.update_yaxes(log_axis(shown, "relative error of the simulation"))
    return styled(figure, height=380)


def matrices_beside(
    panels: Mapping[str, Float[np.ndarray, "rows columns"]], labels: Sequence[str], quantity: str
) -> go.Figure:
    """Draw square matrices beside each other, with one scale of colours.

    Parameters
    ----------
    panels
        By title; the first sets the scale.
    labels
        Of rows and of columns, shown where one hovers.
    quantity
        What an entry is, with its unit.

    Raises
    ------
    InputError
        If there is no matrix.
    """
    numbers = np.arange(1.0, len(labels) + 1)
    figure = fields_beside(panels, numbers, numbers, ("system j", "system i"), quantity)
    names = [[[row, column] for column in labels] for row in labels]
    for trace in figure.data:
        trace.customdata = names
        trace.xgap = trace.ygap = 1 if len(labels) <= 20 else 0
        trace.hovertemplate = (
            f"<b>{trace.name}</b><br>i: %{{customdata[0]}}<br>j: %{{customdata[1]}}<br>{quantity} %{{z:.4g}}"
            "<extra></extra>"
        )
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain")
    figure.update_layout(height=440)
    return figure


def _colours(scale: Sequence[tuple[float, str]], low: float, high: float, title: str) -> dict[str, object]:
    return {
        "colorscale": scale,
        "cmin": low,
        "cmax": high if high > low else low + 1.0,
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }
