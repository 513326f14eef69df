"""The documentation does what it says: its Python runs, its commands end well, and they print what is shown.

In a page, ``python`` and ``console`` blocks are run in order, in one folder and one namespace; a ``text`` block
right after Python is what that printed, and the lines after a ``$ command`` are among those that it printed.
Numbers may differ, the rest may not; ``…`` stands for lines left out.  A block with a title is written to a file of
that name instead.  Blocks of other kinds (``bash``, ``py``) are shown, not run.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r'^(?P<indent> *)```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")? *\n(?P<text>.*?)^ *```', re.M | re.S
)
_NUMBER = re.compile(r"[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    title: str | None
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    return [
        Block(match["kind"], match["title"], textwrap.dedent(match["text"]), source.count("\n", 0, match.start()) + 1)
        for match in _FENCE.finditer(source)
    ]


def masked(text: str) -> list[str]:
    """The lines of a text with numbers, spaces and rules of any length made alike; empty ones left out."""
    alike = (re.sub(r"─+", "─", " ".join(_NUMBER.sub("#", line).split())) for line in text.splitlines())
    return [line for line in alike if line]


def assert_shown(shown: str, printed: str, where: str) -> None:
    """Every line that a page shows is among those that were printed, in the same order."""
    lines = iter(masked(printed))
    for line in masked(shown):
        if line != "…" and not any(line == each for each in lines):
            pytest.fail(f"{where} shows a line that is not printed there: {line!r}\nprinted:\n{printed}")


def calls_of(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the lines shown after it."""
    for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def run_page(page: Path) -> None:
    """Run the blocks of a page in the working folder."""
    namespace: dict[str, object] = {"__name__": "page"}
    printed = ""
    previous = None
    for block in blocks_of(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.kind == "python":
            # Padded, so that a traceback names the page's own line.
            code = compile("\n" * block.line + block.text, str(page), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, namespace)
            printed = out.getvalue()
        elif block.kind == "text" and previous == "python":
            assert_shown(block.text, printed, where)
        elif block.kind == "console":
            for command, shown in calls_of(block):
                assert_shown(shown, output_of(command, where), where)
        previous = block.kind


def output_of(command: str, where: str) -> str:
    """What a command prints on both streams, run with the tools of this environment first."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        command,
        shell=True,
        executable="/bin/bash",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, f"{where}: {command} ended with {ended.returncode}:\n{ended.stdout}"
    return ended.stdout


RUN = [page for page in PAGES if any(block.kind in ("python", "console") for block in blocks_of(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_runs_and_prints_what_it_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(page)


def test_the_tutorials_are_among_the_pages_that_run():
    tutorials = {page.name for page in (ROOT / "docs" / "tutorials").glob("*.md")}
    assert tutorials
    assert tutorials | {"README.md"} <= {page.name for page in RUN}


def test_a_line_that_is_not_printed_is_told():
    assert_shown("rows 3\n…\nend", "rows 12\nmore\nend\n", "a page")
    with pytest.raises(pytest.fail.Exception, match="not printed"):
        assert_shown("columns 3", "rows 12\n", "a page")
