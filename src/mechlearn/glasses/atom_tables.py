"""Tables with a row an atom (or a bond) on disk: Parquet that any tool opens, what else there is as JSON beside it."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mechlearn.errors import InputError
from mechlearn.records import write_atomically

#: Where the JSON is in the metadata of the schema.
_KEY: Final = b"mechlearn"

#: Version of the layout; a reader refuses another.
_FORMAT: Final = 1


def write_table(path: Path, kind: str, columns: Mapping[str, np.ndarray], record: Mapping[str, Any]) -> Path:
    """Write columns of one length and a JSON object in one Parquet file, whole or not at all.

    The same content gives the same bytes.

    Parameters
    ----------
    path
        The file.
    kind
        What it is, asked for again on reading.
    columns
        Numbers or strings by their names.
    record
        Anything JSON can hold; what is not finite is not JSON.

    Raises
    ------
    WorkError
        The file cannot be written.
    """
    told = json.dumps({"kind": kind, "format": _FORMAT, **record}, ensure_ascii=False, allow_nan=False)
    sums = {"record": zlib.crc32(told.encode()), "columns": _checksum(columns)}
    whole = json.dumps({"checksums": sums, "record": told}, ensure_ascii=False)
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    stream = io.BytesIO()
    table = table.replace_schema_metadata({_KEY: whole.encode()})
    pq.write_table(table, stream, compression="zstd", write_page_checksum=True)
    return write_atomically(path, stream.getvalue())


def read_table(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`write_table` wrote: the columns and the JSON object.

    Raises
    ------
    InputError
        The file is missing, cut short, altered, or of another kind.
    """
    record, checksum = _read_footer(path, kind)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        columns = {name: np.array(table.column(name).to_numpy()) for name in table.column_names}
        # Parquet's own checksums are of its pages: a footer or a header that is altered changes numbers unseen.
        if _checksum(columns) != checksum:
            raise ValueError("the numbers do not fit their checksum")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _spoilt(path, kind, error) from error
    return columns, record


def read_record(path: Path, kind: str) -> dict[str, Any]:
    """The JSON object alone, without the columns.

    Raises
    ------
    InputError
        As :func:`read_table`.
    """
    return _read_footer(path, kind)[0]


def _read_footer(path: Path, kind: str) -> tuple[dict[str, Any], int]:
    """The JSON object and the checksum of the columns."""
    if not path.is_file():
        raise InputError(f"reading {path}: there is no such file; make the {kind} again")
    try:
        with pq.ParquetFile(path) as file:
            found = (file.metadata.metadata or {}).get(_KEY)
        whole = json.loads(found) if found is not None else {}
        if "checksums" not in whole:
            raise InputError(f"reading {path}: a table of another kind where {kind} belong; give the right folder")
        told, sums = whole["record"], whole["checksums"]
        if zlib.crc32(told.encode()) != sums["record"]:
            raise ValueError("what it says of itself does not fit its checksum")
        record, checksum = json.loads(told), int(sums["columns"])
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise _spoilt(path, kind, error) from error
    if record["kind"] != kind:
        raise InputError(f"reading {path}: a table of {record['kind']} where {kind} belong; give the right folder")
    if record["format"] != _FORMAT:
        raise InputError(
            f"reading {path}: written in format {record['format']}, this version reads {_FORMAT}; update mechlearn"
        )
    return record, checksum


def _checksum(columns: Mapping[str, np.ndarray]) -> int:
    """CRC-32 of the names and of all values."""
    value = 0
    for name, column in columns.items():
        value = zlib.crc32(name.encode(), value)
        numeric = column.dtype.kind in "fiub"
        value = zlib.crc32(np.ascontiguousarray(column).data if numeric else "\0".join(column).encode(), value)
    return value


def _spoilt(path: Path, kind: str, error: Exception) -> InputError:
    found = "it is empty" if path.stat().st_size == 0 else str(error).splitlines()[0].rstrip(".")
    return InputError(
        f"reading {path}: truncated, altered or not Parquet ({found}); remove it and make the {kind} again"
    )
