"""A batch as an Arrow table, one row a structure, and back: whole buffers, no loop over atoms.

Lists are flat and row-major: ``positions`` of a structure holds x1 y1 z1 x2 y2 z2 …, ``cell`` the three
lattice vectors one after the other.  A label that is absent is null.  ``checksum`` is the CRC-32 of all that
a row holds: Parquet's own page checksums leave out the headers and the footer, where a changed bit changes
data unseen.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int, UInt32

from mechlearn.errors import InputError
from mechlearn.structures.batch import StructureBatch

#: Version of the layout below; a reader refuses a newer one.
FORMAT_VERSION: Final = 1
METADATA_KEY: Final = b"mechlearn"

_NUMBERS: Final = pa.large_list(pa.float64())
SCHEMA: Final = pa.schema(
    [
        pa.field("group", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("seed", pa.int64()),
        pa.field("atoms", pa.int64(), nullable=False),
        pa.field("energy", pa.float64()),
        pa.field("stress", _NUMBERS),
        pa.field("cell", _NUMBERS, nullable=False),
        pa.field("periodic", pa.large_list(pa.bool_()), nullable=False),
        pa.field("species", pa.large_list(pa.int32()), nullable=False),
        pa.field("positions", _NUMBERS, nullable=False),
        pa.field("forces", _NUMBERS),
        pa.field("checksum", pa.uint32(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Facts:
    """What a part says of itself in its footer, where it can be read without the columns.

    Attributes
    ----------
    format : int
        The version of the layout.
    structures, atoms : int
        How many the part holds.

    Examples
    --------
    >>> Facts.from_json(Facts(1, 64, 2048).to_json())
    Facts(format=1, structures=64, atoms=2048)
    """

    format: int
    structures: int
    atoms: int

    def to_json(self) -> str:
        """The facts with their CRC-32."""
        return json.dumps({**vars(self), "checksum": self._checksum()})

    @classmethod
    def from_json(cls, text: bytes | str) -> Facts:
        """What :meth:`to_json` gave.

        Raises
        ------
        ValueError
            The text is something else, or does not fit its checksum.
        """
        record = json.loads(text)
        if not isinstance(record, dict) or not {"format", "structures", "atoms"} <= record.keys():
            raise ValueError("its metadata are not those of a structure set")
        facts = cls(record["format"], record["structures"], record["atoms"])
        # Sets of the first release have no checksum here.
        if "checksum" in record and record["checksum"] != facts._checksum():
            raise ValueError("its counts do not fit their checksum")
        return facts

    def _checksum(self) -> int:
        return zlib.crc32(f"{self.format} {self.structures} {self.atoms}".encode())


def to_table(batch: StructureBatch) -> pa.Table:
    """The batch as a table, with its format version and counts in the schema's metadata.

    Examples
    --------
    >>> from ase.build import bulk
    >>> to_table(StructureBatch.from_atoms([bulk("W")])).column("atoms").to_pylist()
    [1]
    """
    sizes = batch.sizes
    forced = np.zeros(len(batch), dtype=bool)
    if batch.atoms:
        known = ~np.isnan(batch.forces).all(axis=1)
        forced = np.bincount(batch.structure_of_atom[known], minlength=len(batch)) > 0
    stressed = ~np.isnan(batch.stresses).all(axis=1)
    columns = [
        pa.array(batch.groups, pa.string()),
        pa.array(batch.origins, pa.string()),
        pa.array(batch.names, pa.string()),
        pa.array(batch.seeds, pa.int64(), mask=batch.seeds < 0),
        pa.array(sizes, pa.int64()),
        pa.array(batch.energies, pa.float64(), mask=np.isnan(batch.energies)),
        _lists(batch.stresses[stressed], np.where(stressed, 6, 0), pa.float64(), ~stressed),
        _lists(batch.cells, np.full(len(batch), 9), pa.float64()),
        _lists(batch.periodic, np.full(len(batch), 3), pa.bool_()),
        _lists(batch.species, sizes, pa.int32()),
        _lists(batch.positions, 3 * sizes, pa.float64()),
        _lists(batch.forces[np.repeat(forced, sizes)], np.where(forced, 3 * sizes, 0), pa.float64(), ~forced),
        pa.array(checksums(batch), pa.uint32()),
    ]
    facts = Facts(FORMAT_VERSION, len(batch), batch.atoms)
    return pa.Table.from_arrays(columns, schema=SCHEMA.with_metadata({METADATA_KEY: facts.to_json()}))


def _lists(
    values: np.ndarray,
    lengths: Int[np.ndarray, " rows"],
    kind: pa.DataType,
    null: Bool[np.ndarray, " rows"] | None = None,
) -> pa.Array:
    """A column of lists from the values of all rows, one after the other, and the length of each."""
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    flat = pa.array(np.ascontiguousarray(values).reshape(-1), kind)
    mask = None if null is None else pa.array(null)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat, mask=mask)


def from_table(table: pa.Table | pa.RecordBatch, *, source: str) -> StructureBatch:
    """The structures of a table that :func:`to_table` made.

    Raises
    ------
    InputError
        Where the lists of a row do not fit its number of atoms; ``source`` is named.
    """
    columns = {name: _single(table.column(name)) for name in SCHEMA.names}
    sizes = columns["atoms"].to_numpy(zero_copy_only=False)
    _check_lengths(columns, sizes, source)
    atoms = int(sizes.sum())
    batch = StructureBatch.from_arrays(
        positions=_flat(columns["positions"]).reshape(atoms, 3),
        cells=_flat(columns["cell"]).reshape(len(sizes), 3, 3),
        species=_flat(columns["species"]),
        sizes=sizes,
        periodic=_flat(columns["periodic"]).reshape(len(sizes), 3),
        energies=_with_nan(columns["energy"]),
        forces=_filled(columns["forces"], 3 * sizes).reshape(atoms, 3),
        stresses=_filled(columns["stress"], np.full(len(sizes), 6)).reshape(len(sizes), 6),
        groups=columns["group"].to_pylist(),
        origins=columns["origin"].to_pylist(),
        names=columns["name"].to_pylist(),
        seeds=pc.fill_null(columns["seed"], -1).to_numpy(zero_copy_only=False),
    )
    altered = checksums(batch) != columns["checksum"].to_numpy(zero_copy_only=False)
    if altered.any():
        raise InputError(
            f"reading {source}: the checksum of row {int(np.argmax(altered))} does not fit its data; the "
            "part is altered: remove it and write it again"
        )
    return batch


def checksums(batch: StructureBatch) -> UInt32[np.ndarray, " structures"]:
    """CRC-32 of each structure: its texts, seed, cell, atoms and labels, every absent label counted alike."""
    texts = zip(batch.groups, batch.origins, batch.names, strict=True)
    seeds = np.maximum(batch.seeds, -1)
    whole = [seeds, batch.periodic, _plain(batch.cells), _plain(batch.energies), _plain(batch.stresses)]
    each = [batch.species, _plain(batch.positions), _plain(batch.forces)]
    whole_bytes = [_rows_of_bytes(array).data for array in whole]
    each_bytes = [_rows_of_bytes(array).data for array in each]
    sums = np.empty(len(batch), dtype=np.uint32)
    for index, text in enumerate(texts):
        value = zlib.crc32("\0".join(text).encode())
        start, stop = batch.offsets[index], batch.offsets[index + 1]
        for column in whole_bytes:
            value = zlib.crc32(column[index : index + 1], value)
        for column in each_bytes:
            value = zlib.crc32(column[start:stop], value)
        sums[index] = value
    return sums


def _rows_of_bytes(values: np.ndarray) -> np.ndarray:
    """The same memory as one row of bytes an entry."""
    flat = np.ascontiguousarray(values).reshape(len(values), -1)
    return flat.view(np.uint8)


def _plain(values: np.ndarray) -> np.ndarray:
    """Contiguous, with one bit pattern for NaN."""
    return np.ascontiguousarray(np.where(np.isnan(values), np.nan, values))


def _single(column: Any) -> pa.Array:
    """One contiguous array of a column that may come in chunks."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _flat(column: pa.Array) -> np.ndarray:
    """The values of all lists, one after the other (null lists add none)."""
    return np.array(column.flatten().to_numpy(zero_copy_only=False))


def _with_nan(column: pa.Array) -> Float[np.ndarray, " rows"]:
    return pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False).copy()


def _filled(column: pa.Array, lengths: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " values"]:
    """The values of all lists, with NaN for the lists that are null."""
    present = column.is_valid().to_numpy(zero_copy_only=False)
    if present.all():
        return _flat(column)
    values = np.full(int(lengths.sum()), np.nan)
    values[np.repeat(present, lengths)] = _flat(column)
    return values


def _check_lengths(columns: dict[str, pa.Array], sizes: Int[np.ndarray, " rows"], source: str) -> None:
    three, six, nine = (np.full(len(sizes), length) for length in (3, 6, 9))
    expected: Sequence[tuple[str, np.ndarray]] = (
        ("species", sizes),
        ("positions", 3 * sizes),
        ("forces", 3 * sizes),
        ("stress", six),
        ("cell", nine),
        ("periodic", three),
    )
    for name, lengths in expected:
        found = pc.fill_null(pc.list_value_length(columns[name]), -1).to_numpy(zero_copy_only=False)
        nullable = SCHEMA.field(name).nullable
        wrong = (found != lengths) & ~(nullable & (found == -1))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"reading {source}: {name} of row {row} has {found[row]} values where {lengths[row]} are due "
                f"for {sizes[row]} atoms; write the part again"
            )
