"""Results as JSON: plain values, no NaN, and a file that is either the old one or the new one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mechlearn.errors import InputError
from mechlearn.learning import write_atomically


def plain(value: Any) -> Any:
    """The value in JSON's own types: arrays as lists, what is not finite as null, paths as strings.

    Examples
    --------
    >>> plain({"rmse": float("nan"), "timesteps": (1, 2), "out": Path("W")})
    {'rmse': None, 'timesteps': [1, 2], 'out': 'W'}
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in results: {value!r}")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write results as JSON, atomically; the same results give the same bytes."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    InputError
        The file is missing, or is not a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"reading {path}: no such file") from None
    except ValueError as error:
        raise InputError(f"reading {path}: not JSON ({error}); delete it to compute it again") from None
    if not isinstance(value, dict):
        raise InputError(f"reading {path}: found a {type(value).__name__} where an object belongs")
    return value
