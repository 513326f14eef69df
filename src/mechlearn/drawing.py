"""Small pictures as SVG text, for what shows itself in a notebook: a histogram, and bars with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float

#: Blue on light and on dark; text and lines take the page's own colour.
_FILL = "#4c8bd6"
_LETTER, _LINE, _TALLEST = 6.5, 16, 64
_WIDTH = 320


@dataclass(frozen=True)
class Bar:
    """A named value with its interval; NaN where there is none."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan


def histogram(values: Float[np.ndarray, " values"], title: str, label: str, bins: int = 40) -> str:
    """Draw how often values occur; those that are not finite are left out, and of none there is no picture.

    Examples
    --------
    >>> histogram(np.array([1.0, 2.0, 2.0]), "energies", "eV/atom").count("<rect")
    2
    >>> histogram(np.array([np.nan]), "energies", "eV/atom")
    ''
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ""
    counts, edges = np.histogram(finite, bins)
    ticks = _ticks(float(edges[0]), float(edges[-1]))
    step = _WIDTH / bins
    marks = []
    for index, count in enumerate(counts.tolist()):
        if count:
            height = max(1.0, _TALLEST * count / counts.max())
            told = f"{count:,} from {edges[index]:.4g} to {edges[index + 1]:.4g}"
            marks.append(_rectangle(20 + index * step, _TALLEST - height, step - 0.5, height, told))
    marks += _axis(ticks, 20, _TALLEST, (float(edges[0]), float(edges[-1])), label)
    return _svg(title, _WIDTH + 40, _TALLEST + 2.5 * _LINE, marks)


def interval_bars(bars: Sequence[Bar], title: str, label: str) -> str:
    """Draw a bar from zero for each value that is finite, with a line over its interval.

    Examples
    --------
    >>> drawing = interval_bars([Bar("bcc", 1.0, 0.8, 1.3), Bar("<hot>", 2.0)], "errors", "eV/atom")
    >>> drawing.count("<rect"), "&lt;hot&gt;" in drawing
    (2, True)
    """
    bars = [bar for bar in bars if math.isfinite(bar.value)]
    if not bars:
        return ""
    largest = max(max(bar.value, bar.high if math.isfinite(bar.high) else 0.0) for bar in bars) or 1.0
    left = 8 + _LETTER * max(len(bar.name) for bar in bars)
    marks = []
    for index, bar in enumerate(bars):
        top, middle = index * _LINE, (index + 0.5) * _LINE
        told = f"{bar.name}: {bar.value:.3g}"
        if math.isfinite(bar.low) and math.isfinite(bar.high):
            told += f" ({bar.low:.3g} to {bar.high:.3g})"
        marks.append(_text(left - 6, middle + 4, bar.name, "end"))
        marks.append(_rectangle(left, top + 2, _WIDTH * bar.value / largest, _LINE - 4, told))
        if math.isfinite(bar.low) and math.isfinite(bar.high):
            start, end = (left + _WIDTH * value / largest for value in (bar.low, bar.high))
            marks.append(_path(f"M{start:.1f} {middle:.1f}H{end:.1f}"))
    marks += _axis(_ticks(0.0, largest), left, len(bars) * _LINE, (0.0, largest), label)
    return _svg(title, left + _WIDTH + 24, (len(bars) + 2.5) * _LINE, marks)


def _axis(ticks: Sequence[float], left: float, top: float, ends: tuple[float, float], label: str) -> list[str]:
    """A line under the picture with numbers at its ticks and a label below."""
    low, high = ends
    marks = [_path(f"M{left:.1f} {top:.1f}h{_WIDTH}")]
    for tick in ticks:
        x = left + _WIDTH * (tick - low) / (high - low)
        marks += [_path(f"M{x:.1f} {top:.1f}v4"), _text(x, top + _LINE, f"{tick:.10g}", "middle")]
    return [*marks, _text(left + _WIDTH / 2, top + 2 * _LINE, label, "middle")]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, 1, 2 or 5 times a power of ten apart, some four of them."""
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if (high - low) / (power * factor) <= 5)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def _rectangle(x: float, y: float, width: float, height: float, told: str) -> str:
    shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{_FILL}">'
    return f"{shape}<title>{escape(told)}</title></rect>"


def _path(course: str) -> str:
    return f'<path d="{course}" stroke="currentColor" fill="none"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{escape(words)}</text>'


def _svg(title: str, width: float, height: float, marks: Sequence[str]) -> str:
    """The picture around its marks; the title is what a screen reader says of it."""
    style = "font:11px system-ui,sans-serif;display:block;margin:8px 0;max-width:100%"
    frame = f'role="img" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    content = "".join(marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {frame} style="{style}"><title>{escape(title)}</title>{content}</svg>'
    )
