"""Files of embedded-atom potentials: ``eam/alloy`` (setfl) and ``eam/fs`` (Finnis–Sinclair), any number of elements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float

from mechlearn.errors import InputError

_FEWEST_NODES = 5


@dataclass(frozen=True, eq=False)
class EamTables:
    """What an EAM file holds, for the elements that were asked for.

    Attributes
    ----------
    elements : tuple of str
        Chemical symbols.
    embedding : (elements, density nodes)
        F_a at ρ = 0, dρ, 2 dρ …, eV.
    densities : (elements, elements, nodes)
        The density that an atom of the first element makes at one of the second, at r = 0, dr, 2 dr …; in
        ``eam/alloy`` the same for all second elements.
    repulsions : (elements, elements, nodes)
        r φ_ab(r), eV·Å.
    cutoff, spacing : float
        Where the interaction ends, and dr, Å.
    density_spacing : float
        dρ.
    """

    elements: tuple[str, ...]
    embedding: Float[np.ndarray, "elements density_nodes"]
    densities: Float[np.ndarray, "elements elements nodes"]
    repulsions: Float[np.ndarray, "elements elements nodes"]
    cutoff: float
    spacing: float
    density_spacing: float


@dataclass(frozen=True)
class _Grid:
    """The fifth line of a file."""

    density_nodes: int
    density_spacing: float
    nodes: int
    spacing: float
    cutoff: float


def read_tables(path: Path, style: str, elements: tuple[str, ...] = ()) -> EamTables:
    """Read a file of style ``"eam/alloy"`` or ``"eam/fs"``.

    Parameters
    ----------
    path
        The file.
    style
        As LAMMPS calls it.
    elements
        The elements wanted, in this order; by default all of the file.

    Raises
    ------
    InputError
        The file is not of this kind or ends too early, which is said with the number of the line; or an element that
        is wanted is not in it, which is said with those that are.
    """
    with path.open(encoding="utf-8", errors="replace") as stream:
        lines = _NumberedLines(stream, path, style)
        lines.skip(3)
        known = _elements_of(lines)
        missing = [element for element in elements if element not in known]
        if missing:
            raise InputError(f"reading {path}: it knows {', '.join(known)}, not {', '.join(missing)}")
        grid = _grid_of(lines)
        partners = len(known) if style == "eam/fs" else 1
        embedding, densities = [], []
        for element in known:
            lines.words(f"the line 'number mass lattice-constant lattice' of {element}", at_least=2)
            embedding.append(lines.numbers(grid.density_nodes, f"the embedding function of {element}"))
            table = lines.numbers(partners * grid.nodes, f"the density of {element}").reshape(partners, grid.nodes)
            densities.append(np.broadcast_to(table, (len(known), grid.nodes)))
        repulsions = np.empty((len(known), len(known), grid.nodes))
        for a, first in enumerate(known):
            for b, second in enumerate(known[: a + 1]):
                repulsions[a, b] = repulsions[b, a] = lines.numbers(grid.nodes, f"r φ of {first} and {second}")
        lines.expect_end()
    chosen = [known.index(element) for element in elements or known]
    return EamTables(
        elements=elements or known,
        embedding=np.array(embedding)[chosen],
        densities=np.array(densities)[np.ix_(chosen, chosen)],
        repulsions=repulsions[np.ix_(chosen, chosen)],
        cutoff=grid.cutoff,
        spacing=grid.spacing,
        density_spacing=grid.density_spacing,
    )


def _elements_of(lines: _NumberedLines) -> tuple[str, ...]:
    """The fourth line: how many elements, and which."""
    words = lines.words("the line 'count element …'", at_least=2)
    names = tuple(words[1:])
    if words[0] != str(len(names)) or any(name not in atomic_numbers for name in names):
        raise lines.wrong("the count of the elements and their symbols", " ".join(words))
    return names


def _grid_of(lines: _NumberedLines) -> _Grid:
    """The fifth line: Nρ dρ Nr dr cutoff."""
    words = lines.words("the line 'Nrho drho Nr dr cutoff'", at_least=5)
    try:
        grid = _Grid(int(words[0]), float(words[1]), int(words[2]), float(words[3]), float(words[4]))
    except ValueError:
        raise lines.wrong("'Nrho drho Nr dr cutoff'", " ".join(words)) from None
    if min(grid.density_nodes, grid.nodes) < _FEWEST_NODES or min(grid.density_spacing, grid.spacing, grid.cutoff) <= 0:
        raise lines.wrong("'Nrho drho Nr dr cutoff', all above zero", " ".join(words))
    return grid


class _NumberedLines:
    """The lines of a file without comments and empty ones, their numbers kept for messages."""

    def __init__(self, stream: Iterator[str], path: Path, style: str) -> None:
        self._lines, self._path, self._style = enumerate(stream, start=1), path, style
        self._number = 0

    def skip(self, count: int) -> None:
        """Pass over the comments at the head."""
        self._number = sum(1 for _ in islice(self._lines, count))

    def words(self, wanted: str, at_least: int) -> list[str]:
        """The words of the next line."""
        words = self._next(wanted)
        if len(words) < at_least:
            raise self.wrong(wanted, " ".join(words))
        return words

    def numbers(self, count: int, wanted: str) -> Float[np.ndarray, " numbers"]:
        """The next ``count`` numbers, however many a line holds."""
        found: list[str] = []
        while len(found) < count:
            words = self._next(f"{wanted} ({len(found)} of {count} numbers so far)")
            try:
                found.extend(words)
                if len(found) > count:
                    raise ValueError
                float(words[0]), float(words[-1])
            except ValueError:
                raise self.wrong(f"numbers of {wanted}, {count} in all", " ".join(words)) from None
        try:
            values = np.array(found, dtype=np.float64)
        except ValueError:
            bad = next(word for word in found if not _is_number(word))
            raise self.wrong(f"numbers of {wanted}, up to here", bad) from None
        if not np.isfinite(values).all():
            raise self.wrong(f"finite numbers of {wanted}, up to here", found[int(np.argmin(np.isfinite(values)))])
        return values

    def expect_end(self) -> None:
        """More numbers than the head announces are of another kind of file."""
        for number, line in self._lines:
            if words := line.split("#")[0].split():
                self._number = number
                raise self.wrong("the end of the file", " ".join(words))

    def wrong(self, wanted: str, found: str) -> InputError:
        """The error of the present line."""
        shown = found if len(found) <= 60 else f"{found[:60]}…"
        return InputError(
            f"reading {self._path}: line {self._number} should hold {wanted}, and holds {shown!r}; "
            f"is it an {self._style} file?"
        )

    def _next(self, wanted: str) -> list[str]:
        for number, line in self._lines:
            self._number = number
            if words := line.split("#")[0].split():
                return words
        raise InputError(f"reading {self._path}: the file ends at line {self._number}, before {wanted} is complete")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
