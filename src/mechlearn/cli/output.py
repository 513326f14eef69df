"""What the commands print: figures on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mechlearn.learning import Epoch

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, metavar="N", help="Seed of all random numbers: the same seed, the same result.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, metavar="N", help="Processes that work at once; by default one a core.", show_default=False
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Address of a Dask scheduler, to work on many machines.",
        show_default=False,
    ),
]


def available_workers(workers: int | None) -> int:
    """The number asked for, else that of the cores this process may use."""
    return workers or len(os.sched_getaffinity(0))


def say(message: str) -> None:
    """Print for a person, on standard error."""
    print(message, file=sys.stderr)


def show(text: str) -> None:
    """Print the command's answer, on standard output."""
    print(text)


def show_json(value: Mapping[str, Any]) -> None:
    """Print the command's answer as one JSON object, what is not finite as null."""
    from mechlearn.records import plain

    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table whose first column is text and whose others are figures."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120).print(table)


def cell(value: object) -> str:
    """A figure as a person reads it.

    Examples
    --------
    >>> cell(0.0092134), cell(8909), cell(None), cell(True)
    ('0.009213', '8909', '–', 'yes')
    """
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


def existing(path: Path, doing: str) -> Path:
    """The path, if something is there.

    Raises
    ------
    InputError
        Nothing is there.
    """
    from mechlearn.errors import InputError

    if not path.exists():
        raise InputError(f"{doing} {path}: no such file or folder")
    return path


def say_epoch(epoch: Epoch) -> None:
    """How a network's training goes, on one line that is written over where there is a terminal."""
    if sys.stderr.isatty():
        end = "\r"
    elif epoch.number % 50 == 0:
        end = "\n"
    else:
        return
    losses = f"training loss {epoch.training:.3e}, validation loss {epoch.validation:.3e}"
    print(f"epoch {epoch.number}: {losses}", file=sys.stderr, end=end, flush=True)
