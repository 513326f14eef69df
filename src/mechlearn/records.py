"""Small records on disk: written whole or not at all, in JSON that any tool reads, and compared in words."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mechlearn.errors import InputError, WorkError


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Write a file so that a kill at any moment leaves the old one or the new one, whole.

    The bytes go to a temporary file beside ``path``, are flushed to the disk, and the file is renamed.

    Raises
    ------
    WorkError
        The disk is full or the folder cannot be written to; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "a.txt", b"whole").read_bytes()
    b'whole'
    """
    path = Path(path)
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise WorkError(f"writing {path}: {error.strerror or error}; free space or give another folder") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def temporary_beside(path: Path) -> Path:
    """A name beside ``path`` for a file that is being written; it says which process on which machine writes it."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}.partial")


def remove_leftovers(folder: Path) -> None:
    """Remove, in a folder and those below it, what writers left behind that were killed on this machine."""
    own = re.compile(rf"\..+\.{re.escape(socket.gethostname())}\.(\d+)\.[0-9a-f]+\.partial")
    for entry in folder.rglob(".*.partial"):
        match = own.fullmatch(entry.name)
        if match and not _runs(int(match[1])):
            entry.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def flush_folder(folder: Path) -> None:
    """Make a rename in the folder last through a power cut, where the system lets one."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two tables of settings, one phrase a key.

    Examples
    --------
    >>> differences({"seed": 1, "set": {"count": 5}}, {"seed": 1, "set": {"count": 6}})
    ['set.count is 5 there and 6 here']
    """
    phrases = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            phrases += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            there = "absent" if before is None else repr(before)
            phrases.append(f"{prefix}{key} is {there} there and {'absent' if after is None else repr(after)} here")
    return phrases
