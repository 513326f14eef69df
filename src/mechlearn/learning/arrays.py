"""Named arrays and JSON in one file that loads without executing anything (safetensors)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mechlearn.errors import InputError
from mechlearn.records import write_atomically

#: The one key of the safetensors header's metadata. One, because the order of several is not fixed, and a
#: study that was interrupted has to end in the same bytes.
_METADATA_KEY = "mechlearn"


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
