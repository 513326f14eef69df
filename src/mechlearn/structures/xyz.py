"""Extended XYZ: a quick check before ASE parses it, and a writer that prints every digit.

A frame is a line with the number of atoms, a line of ``key=value`` pairs with ``Lattice`` and ``Properties``,
and one line an atom.  Stress is in eV/Å³, tension positive, as ASE has it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from ase.data import chemical_symbols

from mechlearn.errors import InputError
from mechlearn.structures.batch import StructureBatch

_NUMBER_OR_TRUTH: Final = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([edED][+-]?\d+)?|[+-]?(nan|inf(inity)?)|T|F|true|false", re.IGNORECASE
)


def check_xyz(path: Path) -> None:
    """Check that every frame of an XYZ file is whole; a file that is not is named with the line.

    Raises
    ------
    InputError
        Where a count is not a number, or the file ends before the atoms that a frame announces.
    """
    try:
        with path.open(encoding="utf-8") as handle:
            line = 0
            while head := handle.readline():
                line += 1
                if head.strip():
                    line = _check_frame(path, handle, head, line)
    except UnicodeDecodeError as error:
        raise InputError(f"reading {path}: not a text file ({error.reason}); give an extended XYZ file") from error
    if line == 0:
        raise InputError(f"reading {path}: the file is empty; give an extended XYZ file with a frame")


def _check_frame(path: Path, handle: TextIO, head: str, line: int) -> int:
    """Check one frame whose first line is ``head``; returns the number of its last line."""
    if not head.strip().isdigit():
        raise InputError(
            f"reading {path}: line {line} is {head.strip()[:40]!r} where a number of atoms is due; correct the file"
        )
    count = int(head)
    comment = handle.readline()
    columns = None
    for atom in range(1, count + 1):
        row = handle.readline()
        fields = len(row.split())
        if not fields:
            raise InputError(
                f"reading {path}: the frame at line {line} announces {count} atoms but holds {atom - 1}; the "
                "file looks truncated: copy it again or correct the count"
            )
        columns = columns or fields
        if fields != columns:
            raise InputError(
                f"reading {path}: line {line + 1 + atom} has {fields} columns where the frame's first atom "
                f"has {columns}; correct the line"
            )
    if not comment:
        raise InputError(f"reading {path}: the file ends at line {line}; it looks truncated: copy it again")
    return line + 1 + count


def write_xyz(batch: StructureBatch, path: Path) -> None:
    """Write a batch as extended XYZ; every number reads back as the same one, absent labels are left out."""
    with path.open("w", encoding="utf-8") as handle:
        for index in range(len(batch)):
            handle.write(frame(batch, index))


def frame(batch: StructureBatch, index: int) -> str:
    """One structure as a frame of extended XYZ."""
    own = slice(int(batch.offsets[index]), int(batch.offsets[index + 1]))
    forces = batch.forces[own]
    labelled = bool(np.isfinite(forces).all())
    columns = np.hstack([batch.positions[own], forces]) if labelled else batch.positions[own]
    pairs = [
        f'Lattice="{" ".join(map(repr, batch.cells[index].ravel().tolist()))}"',
        "Properties=species:S:1:pos:R:3" + (":forces:R:3" if labelled else ""),
        f'pbc="{" ".join("FT"[int(flag)] for flag in batch.periodic[index])}"',
    ]
    if np.isfinite(batch.energies[index]):
        pairs.append(f"energy={float(batch.energies[index])!r}")
    if np.isfinite(batch.stresses[index]).all():
        xx, yy, zz, yz, xz, xy = batch.stresses[index].tolist()
        pairs.append(f'stress="{" ".join(map(repr, (xx, xy, xz, xy, yy, yz, xz, yz, zz)))}"')
    for key, value in (("group", batch.groups), ("origin", batch.origins), ("name", batch.names)):
        if value[index]:
            pairs.append(f"{key}={_quoted(value[index])}")
    if batch.seeds[index] >= 0:
        pairs.append(f"seed={int(batch.seeds[index])}")
    rows = (
        f"{chemical_symbols[number]} {' '.join(map(repr, row))}"
        for number, row in zip(batch.species[own], columns.tolist(), strict=True)
    )
    return "\n".join([str(own.stop - own.start), " ".join(pairs), *rows]) + "\n"


def _quoted(text: str) -> str:
    """A text as a value that reads back as the same text, even where it looks like a number or a truth."""
    if all(_NUMBER_OR_TRUTH.fullmatch(word) for word in re.split(r"[\s,]+", text.strip()) if word):
        return '"_JSON ' + json.dumps(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
    return f'"{escaped}"'
