"""Named arrays and JSON in one file that loads without executing anything (safetensors)."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mechlearn.errors import InputError, WorkError

#: The one key of the safetensors header's metadata. One, because the order of several is not fixed, and a
#: study that was interrupted has to end in the same bytes.
_METADATA_KEY = "mechlearn"


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
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise WorkError(f"writing {path}: {error.strerror or error}; free space or give another folder") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any] | None = None) -> Path:
    """Save named arrays and a JSON object in one safetensors file, atomically.

    The same content gives the same bytes.

    Parameters
    ----------
    arrays
        Numbers of any shape; the dtypes are kept.
    metadata
        Anything JSON can hold. Doubles come back bit for bit.

    Raises
    ------
    WorkError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> _ = save_arrays(path, {"bias": np.arange(3.0)}, {"epoch": 7})
    >>> load_arrays(path)
    ({'bias': array([0., 1., 2.])}, {'epoch': 7})
    """
    from safetensors.numpy import save

    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    header = {_METADATA_KEY: json.dumps(metadata or {}, sort_keys=True, allow_nan=False)}
    return write_atomically(path, save(contiguous, metadata=header))


def load_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save_arrays` wrote: the arrays and the JSON object.

    Raises
    ------
    InputError
        There is no such file, it is cut short, or another program wrote it.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"reading arrays: {path} is not there; check the path")
    try:
        with safe_open(str(path), framework="numpy") as stream:
            header = stream.metadata() or {}
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"reading arrays: {path} is cut short or is no safetensors file ({error}); copy it again"
        ) from error
    if _METADATA_KEY not in header:
        raise InputError(f"reading arrays: {path} was not written by mechlearn; give a file that it saved")
    return arrays, json.loads(header[_METADATA_KEY])


def _flush_folder(folder: Path) -> None:
    """Make a rename last: the folder's own entry is flushed, where the system lets one."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
