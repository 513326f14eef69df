"""Tables of numbers as plain text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

#: What stands where there is no number.
NO_NUMBER = "–"


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, in powers of ten where it is very large or small.

    Examples
    --------
    >>> significant(0.0092137), significant(1234.5), significant(3e-7), significant(float("nan"))
    ('0.00921', '1230', '3.00e-07', '–')
    """
    if not np.isfinite(value):
        return NO_NUMBER
    if value == 0:
        return "0"
    exponent = int(np.floor(np.log10(abs(float(f"{value:.{digits - 1}e}")))))
    if exponent < -4 or exponent > 5:
        return f"{value:.{digits - 1}e}"
    rounded = round(value, digits - 1 - exponent)
    return f"{rounded:.{max(0, digits - 1 - exponent)}f}"


def interval_text(low: float, high: float) -> str:
    """Write an interval, or a dash where there is none.

    Examples
    --------
    >>> interval_text(0.0088, 0.0096), interval_text(float("nan"), 1.0)
    ('0.00880 to 0.00960', '–')
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return NO_NUMBER
    return f"{significant(low)} to {significant(high)}"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table in plain text: the first column to the left, the others to the right.

    Examples
    --------
    >>> print(text_table(["group", "RMSE"], [["bcc", "0.01"], ["liquid", "0.2"]]))
    group   RMSE
    ────────────
    bcc     0.01
    liquid   0.2
    """
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join([first, *others]).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([line(header), rule, *map(line, rows)])


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """Write a table as HTML with every cell escaped, the first column being the rows' names.

    Examples
    --------
    >>> "&lt;x&gt;</th><td>1</td></tr>" in html_table(["a", "b"], [["<x>", "1"]])
    True
    """
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
