"""One look for all figures: white, clear, with colours that colour-blind readers can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

#: The colours of Okabe & Ito (2008), which every common colour vision tells apart, in order of use.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B5B5B", "#8C6D31")

#: Markers and dashes that tell series apart in grey as well.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

#: One hue from light to dark: low values light, and told apart by lightness alone.
SEQUENTIAL = ((0.0, "#DDEAF5"), (0.25, "#A3C9E6"), (0.5, "#539CCF"), (0.75, "#1767AB"), (1.0, "#08264D"))

#: From one colour over white to another, for what has a sign; equally dark at both ends.
DIVERGING = ((0.0, "#08457E"), (0.25, "#5AA0D0"), (0.5, "#FFFFFF"), (0.75, "#F0935A"), (1.0, "#8F3B00"))

INK = "#22272E"
SOFT_INK = "#57606A"
GRID = "#E7EAEE"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"


def colour(index: int) -> str:
    """The colour of the series at ``index``; the palette begins anew when it is used up."""
    return COLOURS[index % len(COLOURS)]


def symbol(index: int) -> str:
    """The marker of the series at ``index``."""
    return SYMBOLS[index % len(SYMBOLS)]


def dash(index: int) -> str:
    """The dash of the series at ``index``."""
    return DASHES[index % len(DASHES)]


def faint(hexadecimal: str, opacity: float) -> str:
    """A colour with some transparency.

    Examples
    --------
    >>> faint("#0072B2", 0.25)
    'rgba(0, 114, 178, 0.25)'
    """
    red, green, blue = (int(hexadecimal[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def styled(figure: go.Figure, height: int = 420) -> go.Figure:
    """Give a figure the look of all figures; it fills the width it is given."""
    axis = {
        "showline": True,
        "linecolor": SOFT_INK,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 5,
        "tickcolor": SOFT_INK,
        "gridcolor": GRID,
        "zeroline": False,
        "automargin": True,
        "title": {"standoff": 12, "font": {"size": 14}},
        "minor": {"ticklen": 3, "tickcolor": SOFT_INK},
    }
    layout = go.Layout(
        font={"family": FONT, "size": 13, "color": INK},
        colorway=COLOURS,
        paper_bgcolor="white",
        plot_bgcolor="white",
        xaxis=axis,
        yaxis=axis,
        hovermode="closest",
        hoverlabel={
            "bgcolor": "white",
            "bordercolor": SOFT_INK,
            "font": {"family": FONT, "size": 13, "color": INK},
        },
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.02,
            "xanchor": "left",
            "x": 0,
            "title_text": "",
        },
        margin={"l": 64, "r": 24, "t": 48, "b": 56},
    )
    # Plotly's own default template would travel with every figure; ours replaces it whole.
    figure.update_layout(template=go.layout.Template(layout=layout), height=height, autosize=True)
    return figure


def log_axis(values: Sequence[float] | np.ndarray, title: str) -> dict[str, Any]:
    """A logarithmic axis that holds the positive values: labels at whole decades, or within them if few."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known) & (known > 0)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (1.0, 10.0)
    margin = max(0.04 * np.log10(high / low), 0.08)
    axis: dict[str, Any] = {
        "type": "log",
        "title_text": title,
        "range": [np.log10(low) - margin, np.log10(high) + margin],
        "minor": {"ticks": "outside"},
    }
    if np.log10(high / low) > 1.6:
        # Plotly sets powers a quarter larger than other labels.
        return axis | {"dtick": 1, "exponentformat": "power", "tickfont": {"size": 11}}
    return axis | {"dtick": "D2", "tickformat": "~g"}


def linear_axis(title: str) -> dict[str, Any]:
    """A linear axis with its title."""
    return {"title_text": title}


def error_bars(values: Sequence[float], low: Sequence[float], high: Sequence[float]) -> dict[str, Any]:
    """Bars from low to high around values; none where an end is not known."""
    return {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(np.clip(np.subtract(high, values), 0, None)),
        "arrayminus": np.nan_to_num(np.clip(np.subtract(values, low), 0, None)),
        "thickness": 1.2,
        "width": 3,
    }
