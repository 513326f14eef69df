"""Equations in files of JSON: ``{"equations": [...]}``, as the command line writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mechlearn.equations.equation import Equation
from mechlearn.errors import InputError
from mechlearn.records import write_json


def write_equations(path: str | Path, equations: Sequence[Equation], more: Mapping[str, Any] | None = None) -> None:
    """Write equations to a file of JSON.

    Parameters
    ----------
    path
        The file; one that exists is replaced.
    equations
        What is written under ``equations``.
    more
        What is written beside them.

    Raises
    ------
    WorkError
        If the file cannot be written.
    """
    write_json(Path(path), {"equations": [equation.to_dict() for equation in equations], **(more or {})})


def read_equations(path: str | Path) -> tuple[Equation, ...]:
    """Read the equations of a file of JSON.

    Parameters
    ----------
    path
        What ``write_equations`` or ``mechlearn equations discover`` wrote.

    Raises
    ------
    InputError
        If there is no such file, or it has no equations.
    """
    try:
        whole = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"reading equations: there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"reading equations: {path} is no file of JSON: {error}") from None
    written = whole.get("equations") if isinstance(whole, dict) else None
    if not isinstance(written, list) or not written:
        raise InputError(
            f"reading equations: {path} has no list 'equations'; write it with mechlearn equations discover"
        )
    found = []
    for number, one in enumerate(written):
        try:
            found.append(Equation.from_dict(one if isinstance(one, dict) else {}))
        except InputError as error:
            raise InputError(f"reading {path}, equations[{number}]: {error}") from error
    return tuple(found)
