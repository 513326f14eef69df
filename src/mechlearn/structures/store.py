"""A set of structures on disk: a folder of Parquet parts that any tool can query.

A part is written under another name, flushed to the disk and renamed, so that a reader meets whole parts only
and a killed run leaves a set that can be read.  Parts never change once they are there.  Their pages carry
checksums, verified on reading: an altered part is named, not used.
"""

from __future__ import annotations

import errno
import html
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mechlearn.errors import InputError, WorkError
from mechlearn.records import flush_folder, remove_leftovers, temporary_beside
from mechlearn.structures.batch import StructureBatch
from mechlearn.structures.columns import FORMAT_VERSION, METADATA_KEY, SCHEMA, Facts, from_table, to_table
from mechlearn.structures.summary import summary_html

_PART: Final = re.compile(r"part-(\d{6,})\.parquet")
#: Row groups hold about this many atoms, which bounds the memory that streaming takes.
_ATOMS_PER_ROW_GROUP: Final = 16_384
_ROWS_PER_ROW_GROUP: Final = 4_096
#: What is decoded at a time, and read from the disk at a time: neither grows with the part.
_ROWS_AT_ONCE: Final = 64
_BYTES_AT_ONCE: Final = 65_536
#: Footers of parts that stay in mind: those of the largest sets.
_PARTS_REMEMBERED: Final = 16_384

_PER_ATOM: Final = ("positions", "species", "forces")
_PER_STRUCTURE: Final = ("cells", "periodic", "energies", "stresses", "seeds")
_TEXTS: Final = ("groups", "origins", "names")


@dataclass(frozen=True)
class StructureSet:
    """A folder of Parquet parts, read lazily and appended atomically.

    Attributes
    ----------
    path : Path
        The folder; its parts are ``part-000000.parquet`` and so on.

    Examples
    --------
    >>> import tempfile
    >>> from ase.build import bulk
    >>> structures = StructureSet.create(Path(tempfile.mkdtemp()) / "tungsten")
    >>> part = structures.append(StructureBatch.from_atoms([bulk("W")] * 3, group="bcc"))
    >>> part.name, len(structures), structures.atoms
    ('part-000000.parquet', 3, 3)
    """

    path: Path

    # ------------------------------------------------------------------ making

    @classmethod
    def create(cls, path: str | Path, exist_ok: bool = True) -> StructureSet:
        """Make the folder, or take up one that exists, and remove what killed writers left.

        Raises
        ------
        InputError
            Where the path is a file, or the set exists and ``exist_ok`` is false.
        WorkError
            Where the folder cannot be made.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise InputError(f"creating the set {path}: a file has that name; choose another")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkError(f"creating the set {path}: {error.strerror}; choose a folder you can write to") from error
        structures = cls(path)
        if structures.parts and not exist_ok:
            raise InputError(f"creating the set {path}: it exists already; choose another name or remove it")
        remove_leftovers(path)
        return structures

    @classmethod
    def open(cls, path: str | Path) -> StructureSet:
        """Open a set that exists; only the names of its parts are read.

        Raises
        ------
        InputError
            Where the folder is missing or holds no part.
        """
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"opening the set {path}: no such folder; check the path")
        structures = cls(path)
        if not structures.parts:
            raise InputError(f"opening the set {path}: it holds no part-*.parquet; give the folder of a structure set")
        return structures

    # ------------------------------------------------------------------ asking

    @property
    def parts(self) -> tuple[Path, ...]:
        """The parts that are there, in order."""
        if not self.path.is_dir():
            return ()
        found = [(match, entry) for entry in self.path.iterdir() if (match := _PART.fullmatch(entry.name))]
        return tuple(entry for _, entry in sorted(found, key=lambda item: int(item[0][1])))

    def has_part(self, part: int) -> bool:
        """Whether the part with this index is there."""
        return self._part_path(part).exists()

    def __len__(self) -> int:
        return sum(_facts(part).structures for part in self.parts)

    @property
    def atoms(self) -> int:
        """The number of atoms of all structures together, from the footers of the parts."""
        return sum(_facts(part).atoms for part in self.parts)

    # ------------------------------------------------------------------ reading

    def batches(self, structures_per_batch: int = 1024) -> Iterator[StructureBatch]:
        """Stream the set in batches of at most ``structures_per_batch``, in memory that its size does not
        change.

        Raises
        ------
        InputError
            Where a part is truncated, altered, or not one of a structure set; it is named.
        """
        if structures_per_batch < 1:
            raise InputError(
                f"reading the set {self.path}: batches of {structures_per_batch} structures; give a number above 0"
            )
        held: list[StructureBatch] = []
        for part in self.parts:
            for batch in _stream(part, structures_per_batch):
                held.append(batch)
                if sum(map(len, held)) >= structures_per_batch:
                    joined = StructureBatch.concatenate(held)
                    yield joined.select(np.arange(structures_per_batch))
                    held = [joined.select(np.arange(structures_per_batch, len(joined)))]
        rest = StructureBatch.concatenate(held)
        if len(rest):
            yield rest

    def load(self) -> StructureBatch:
        """The whole set in memory, which takes little more than its arrays do.

        Raises
        ------
        InputError
            Where a part is truncated, altered, or not one of a structure set; it is named.
        """
        return _gathered(self.parts)

    # ------------------------------------------------------------------ writing

    def append(self, batch: StructureBatch, part: int | None = None) -> Path:
        """Write a batch as one part, whole or not at all.

        Parameters
        ----------
        batch : StructureBatch
            The structures, at least one.
        part : int, optional
            The index of the part; a part that exists is left alone, which makes an interrupted campaign
            repeatable. The next free index by default.

        Returns
        -------
        Path
            The part.

        Raises
        ------
        InputError
            Where the batch is empty.
        WorkError
            Where the disk is full or refuses; the parts written before stay.
        """
        if len(batch) == 0:
            raise InputError(f"appending to the set {self.path}: the batch is empty; give at least one structure")
        if part is not None and self.has_part(part):
            return self._part_path(part)
        temporary = temporary_beside(self.path / "part")
        try:
            _write(batch, temporary)
            return self._publish(temporary, part)
        except OSError as error:
            raise _write_error(self.path, error) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _publish(self, temporary: Path, part: int | None) -> Path:
        """Give a finished file its name; where two writers want the same, the first keeps it."""
        index = self._next_index() if part is None else part
        while True:
            target = self._part_path(index)
            try:
                _link_or_rename(temporary, target)
            except FileExistsError:
                if part is not None:
                    return target
                index += 1
                continue
            flush_folder(self.path)
            return target

    def _next_index(self) -> int:
        parts = self.parts
        match = _PART.fullmatch(parts[-1].name) if parts else None
        return int(match[1]) + 1 if match else 0

    def _part_path(self, part: int) -> Path:
        return self.path / f"part-{part:06d}.parquet"

    # ------------------------------------------------------------------ showing

    def _repr_html_(self) -> str:
        heading = f"<b>StructureSet</b> {html.escape(str(self.path))}: {len(self):,} structures, {self.atoms:,} atoms"
        tables = [_read(part, ["group", "atoms", "energy"]) for part in self.parts]
        columns = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
        sizes = columns["atoms"].to_numpy()
        # An absent energy is null on disk and NaN here.
        energies = columns["energy"].to_numpy()
        return summary_html(
            f"{heading} in {len(self.parts)} parts", columns["group"].to_pylist(), sizes, energies / sizes
        )


# ---------------------------------------------------------------------- files


def read_part(path: Path) -> StructureBatch:
    """The structures of one part, checked as :class:`StructureSet` does."""
    return _gathered([path])


def _open(part: Path) -> pq.ParquetFile:
    """An open part that is known to be one: its footer says so and fits its rows."""
    try:
        file = pq.ParquetFile(part, page_checksum_verification=True, pre_buffer=False, buffer_size=_BYTES_AT_ONCE)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _part_error(part, error) from error
    written = (file.metadata.metadata or {}).get(METADATA_KEY)
    if written is None:
        raise InputError(f"reading {part}: not a part of a structure set; remove it")
    try:
        facts = Facts.from_json(written)
    except ValueError as error:
        raise _part_error(part, error) from error
    if facts.format != FORMAT_VERSION:
        raise InputError(
            f"reading {part}: written in format {facts.format}, this version reads {FORMAT_VERSION}; update mechlearn"
        )
    if facts.structures != file.metadata.num_rows:
        raise _altered(part, f"{file.metadata.num_rows} rows where {facts.structures} were written")
    return file


def _facts(part: Path) -> Facts:
    """What a part says of itself, remembered for as long as its file stays what it is."""
    try:
        state = part.stat()
    except OSError as error:
        raise _part_error(part, error) from error
    return _facts_of(part, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=_PARTS_REMEMBERED)
def _facts_of(part: Path, *state: int) -> Facts:
    with _open(part) as file:
        return Facts.from_json(file.metadata.metadata[METADATA_KEY])


def _stream(part: Path, rows: int) -> Iterator[StructureBatch]:
    """The structures of a part, at most ``rows`` at a time, each checked; never more than the part promises."""
    with _open(part) as file:
        promised = Facts.from_json(file.metadata.metadata[METADATA_KEY])
        count = atoms = 0
        try:
            if not file.schema_arrow.equals(SCHEMA, check_metadata=False):
                raise InputError(f"reading {part}: its columns are not those of a structure set; remove it")
            for record in file.iter_batches(batch_size=rows, use_threads=False):
                batch = from_table(record, source=str(part))
                count, atoms = count + len(batch), atoms + batch.atoms
                if count > promised.structures or atoms > promised.atoms:
                    break
                yield batch
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _part_error(part, error) from error
        if (count, atoms) != (promised.structures, promised.atoms):
            raise _altered(
                part,
                f"{count} structures with {atoms} atoms where {promised.structures} with {promised.atoms} were written",
            )


def _gathered(parts: Sequence[Path]) -> StructureBatch:
    """The structures of several parts: each batch is copied to its place and let go, so that memory is taken once."""
    facts = [_facts(part) for part in parts]
    structures, atoms = (sum(getattr(each, name) for each in facts) for name in ("structures", "atoms"))
    blank = StructureBatch.empty()
    arrays = {
        name: np.empty((rows, *getattr(blank, name).shape[1:]), getattr(blank, name).dtype)
        for names, rows in ((_PER_ATOM, atoms), (_PER_STRUCTURE, structures))
        for name in names
    }
    offsets = np.zeros(structures + 1, dtype=np.int64)
    texts: dict[str, list[str]] = {name: [] for name in _TEXTS}
    known: dict[str, str] = {}
    row = atom = 0
    for batch in (batch for part in parts for batch in _stream(part, _ROWS_AT_ONCE)):
        for names, first, count in ((_PER_ATOM, atom, batch.atoms), (_PER_STRUCTURE, row, len(batch))):
            for name in names:
                arrays[name][first : first + count] = getattr(batch, name)
        offsets[row + 1 : row + len(batch) + 1] = atom + batch.offsets[1:]
        for name, column in texts.items():
            # One string for all the rows that share it: thousands belong to the same group.
            column += [known.setdefault(text, text) for text in getattr(batch, name)]
        row, atom = row + len(batch), atom + batch.atoms
    columns: dict[str, Any] = {**arrays, **{name: tuple(column) for name, column in texts.items()}}
    return StructureBatch(offsets=offsets, **columns)


def _read(part: Path, columns: list[str]) -> pa.Table:
    with _open(part) as file:
        try:
            return file.read(columns=columns, use_threads=False)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _part_error(part, error) from error


def _part_error(part: Path, error: Exception) -> InputError:
    found = "it is empty" if part.exists() and part.stat().st_size == 0 else str(error).splitlines()[0].rstrip(".")
    return InputError(
        f"reading {part}: truncated, altered or not Parquet ({found}); remove the part and write it again"
    )


def _altered(part: Path, found: str) -> InputError:
    return InputError(f"reading {part}: {found}; the part is altered: remove it and write it again")


def _write(batch: StructureBatch, path: Path) -> None:
    """One Parquet file, zstd-compressed, with page checksums, safe on the disk on return."""
    rows = max(1, min(_ROWS_PER_ROW_GROUP, _ATOMS_PER_ROW_GROUP * len(batch) // max(batch.atoms, 1)))
    with path.open("wb") as handle:
        pq.write_table(
            to_table(batch),
            handle,
            row_group_size=rows,
            data_page_size=_BYTES_AT_ONCE,
            compression="zstd",
            use_dictionary=["group", "origin", "name", "species"],
            write_page_checksum=True,
        )
        handle.flush()
        os.fsync(handle.fileno())


def _link_or_rename(temporary: Path, target: Path) -> None:
    """Name a file without replacing one that is there."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems have no hard links; a rename is atomic too, though it cannot refuse to replace.
        if target.exists():
            raise FileExistsError(target) from None
        temporary.rename(target)


def _write_error(folder: Path, error: OSError) -> WorkError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WorkError(
            f"writing to the set {folder}: the disk is full; the parts written before are kept: free space "
            "there and run the same command again"
        )
    return WorkError(
        f"writing to the set {folder}: {error.strerror or error}; the parts written before are kept: check "
        "the folder and run the same command again"
    )
