"""What the site needs beyond Markdown: equations as MathML, the commands' help, and links from docstrings.

MathML is drawn by the browser itself, so that no script has to come from elsewhere.
"""

from __future__ import annotations

import re
import subprocess
import sys
from html import escape, unescape
from typing import Any

from latex2mathml.converter import convert

COMMANDS = (
    "structures info",
    "structures convert",
    "structures generate",
    "structures label",
    "structures compare",
    "potential fit",
    "potential evaluate",
    "potential export",
    "potential nve",
    "equations discover",
    "equations simulate",
    "equations compare",
    "glass prepare",
    "glass shear",
    "glass label",
    "glass features",
    "glass train",
    "glass evaluate",
    "study list",
    "study run",
)

_EQUATION = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_ROLE = re.compile(r":(?:class|func|meth|attr|data|mod|exc):<code>~?([\w.]+)</code>")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put what the commands say of themselves in place of ``<!-- help of all commands -->``."""
    marker = "<!-- help of all commands -->"
    return markdown.replace(marker, _help_of_commands()) if marker in markdown else markdown


def on_page_content(html: str, **_: Any) -> str:
    """Turn LaTeX into MathML, and the roles of docstrings into links."""
    return _ROLE.sub(_link, _EQUATION.sub(_mathml, html))


def _mathml(match: re.Match[str]) -> str:
    display = "block" if match.group(2) == "[" else "inline"
    return convert(unescape(match.group(3)).strip(), display=display)


def _link(match: re.Match[str]) -> str:
    """A link that the cross-references resolve where the name has an entry, and plain text where not."""
    name = match.group(1)
    shown = f"<code>{escape(name.rpartition('.')[2])}</code>"
    return f'<autoref optional identifier="{escape(name)}">{shown}</autoref>'


def _help_of_commands() -> str:
    sections = []
    for command in COMMANDS:
        call = [sys.executable, "-c", "from mechlearn.cli.main import run; run()", *command.split(), "--help"]
        text = subprocess.run(
            call, capture_output=True, text=True, check=True, env={"COLUMNS": "80", "LC_ALL": "C.UTF-8"}
        ).stdout
        text = text.replace("Usage: -c", "Usage: mechlearn").strip("\n")
        lines = "\n".join(line.rstrip().removeprefix(" ") for line in text.splitlines())
        sections.append(f"## `mechlearn {command}`\n\n```text\n{lines.strip()}\n```\n")
    return "\n".join(sections)
