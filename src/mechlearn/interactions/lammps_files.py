"""Published EAM and SNAP files as LAMMPS commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ase.data import atomic_numbers, chemical_symbols

from mechlearn.engines.lammps import potential_file, potential_folder
from mechlearn.errors import InputError

_EAM_STYLES = {
    ".eam.alloy": "eam/alloy",
    ".eam.fs": "eam/fs",
    ".alloy": "eam/alloy",
    ".fs": "eam/fs",
    ".eam": "eam",
}


@dataclass(frozen=True)
class Interaction:
    """The LAMMPS commands of a potential, and its elements in the order of LAMMPS's types."""

    pair_style: str
    pair_coeff: tuple[str, ...]
    elements: tuple[str, ...]
    preamble: tuple[str, ...] = ()


def read_interaction(files: Sequence[str | Path], elements: tuple[str, ...] = ()) -> Interaction:
    """The LAMMPS commands of an EAM file, a ``.snap`` file, or a ``.snapcoeff`` and a ``.snapparam`` file.

    Raises
    ------
    InputError
        A file is missing, is of another kind, or does not know an element.
    """
    if not files:
        raise InputError("reading a potential: no file was given; give an EAM or SNAP file")
    paths = [locate(file) for file in files]
    suffixes = tuple(_suffix(path) for path in paths)
    if len(paths) == 1 and suffixes[0] in _EAM_STYLES:
        return _eam(paths[0], _EAM_STYLES[suffixes[0]], elements)
    if suffixes == (".snap",):
        return _snap_commands(paths[0], elements)
    by_suffix = dict(zip(suffixes, paths, strict=True))
    if set(by_suffix) <= {".snapcoeff", ".snapparam"}:
        coefficients = by_suffix.get(".snapcoeff") or locate(paths[0].with_suffix(".snapcoeff"))
        chosen = _chosen(coefficients, _snapcoeff_elements(coefficients), elements)
        parameters = by_suffix.get(".snapparam") or locate(paths[0].with_suffix(".snapparam"))
        command = f"* * {_quoted(coefficients)} {_quoted(parameters)} {' '.join(chosen)}"
        return Interaction("snap", (command,), chosen)
    raise InputError(
        f"reading the potential {' '.join(path.name for path in paths)}: not a kind that is known; give "
        ".eam, .eam.alloy, .eam.fs, .snap, or .snapcoeff with .snapparam"
    )


def locate(file: str | Path) -> Path:
    """The path of a file that exists, or that comes with LAMMPS under that name."""
    path = Path(file)
    if path.is_file():
        return path.resolve()
    if path.name == str(file):
        return potential_file(path.name)
    raise InputError(f"reading a potential: there is no file {path}")


def known_elements(file: str | Path) -> tuple[str, ...]:
    """The elements of a potential file, in its order; empty where its name is not of a known kind."""
    path = locate(file)
    suffix = _suffix(path)
    if suffix in _EAM_STYLES:
        return _eam_elements(path, _EAM_STYLES[suffix])
    if suffix == ".snap":
        return _snap_elements(path, _logical_lines(path))
    if suffix == ".snapcoeff":
        return _snapcoeff_elements(path)
    return ()


def eam_style(path: Path) -> str:
    """LAMMPS's style of an EAM file, by its name; empty where the name is not of a known kind."""
    return _EAM_STYLES.get(_suffix(path), "")


def bundled(kind: str, elements: Sequence[str]) -> Path | None:
    """The file that comes with LAMMPS for these elements, of kind ``"eam"`` or ``"snap"``.

    Of several, the one with the fewest other elements, alloy before Finnis–Sinclair before single-element
    files, Zhou's first, linear before quadratic.
    """
    suffixes = (".eam.alloy", ".eam.fs", ".eam") if kind == "eam" else (".snap",)
    ranked = []
    for path in sorted(potential_folder().iterdir()):
        suffix = _suffix(path)
        if suffix not in suffixes:
            continue
        try:
            known = known_elements(path)
        except InputError:  # a file of commands that also needs the user's choice of elements
            continue
        if set(elements) <= set(known):
            plain = ("zhou" not in path.name, "quadratic" in path.name)
            ranked.append((len(known), suffixes.index(suffix), *plain, path.name != "W_2940_2017_2.snap", path))
    return min(ranked)[-1] if ranked else None


# ---------------------------------------------------------------------- EAM


def _eam(path: Path, style: str, elements: tuple[str, ...]) -> Interaction:
    chosen = _chosen(path, _eam_elements(path, style), elements)
    where = "1 1" if style == "eam" else "* *"
    names = "" if style == "eam" else " " + " ".join(chosen)
    return Interaction(style, (f"{where} {_quoted(path)}{names}",), chosen)


def _eam_elements(path: Path, style: str) -> tuple[str, ...]:
    """Elements from the header: the fourth line of a setfl file, the second of a funcfl file."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        header = [stream.readline().split() for _ in range(4)]
    try:
        if style == "eam":
            return (chemical_symbols[int(header[1][0])],)
        names = tuple(header[3][1:])
        if int(header[3][0]) != len(names) or any(name not in atomic_numbers for name in names):
            raise ValueError
    except (ValueError, IndexError):
        line = 2 if style == "eam" else 4
        raise InputError(
            f"reading {path}: line {line} does not name the elements of an {style} file; is it one?"
        ) from None
    return names


# ---------------------------------------------------------------------- SNAP


def _snap_commands(path: Path, elements: tuple[str, ...]) -> Interaction:
    """A file of LAMMPS commands: its styles and coefficients, with the files it names made absolute."""
    lines = [_with_absolute_files(line, path.parent) for line in _logical_lines(path)]
    styles = [line.removeprefix("pair_style").strip() for line in lines if line.startswith("pair_style")]
    coefficients = tuple(line.removeprefix("pair_coeff").strip() for line in lines if line.startswith("pair_coeff"))
    if len(styles) != 1 or not coefficients:
        raise InputError(
            f"reading {path}: found {len(styles)} pair_style and {len(coefficients)} pair_coeff commands; "
            "one pair_style and at least one pair_coeff make a potential"
        )
    preamble = tuple(line for line in lines if not line.startswith(("pair_style", "pair_coeff")))
    return Interaction(styles[0], coefficients, _snap_elements(path, lines, elements), preamble)


def _snap_elements(path: Path, lines: Sequence[str], elements: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The elements of LAMMPS's types: the names that end a ``pair_coeff * *`` line.

    The order is the file's, for its other lines go by LAMMPS's types; ``NULL`` is for the caller to fill.
    """
    for line in lines:
        names = re.match(r"pair_coeff\s+\*\s+\*\s.*?((?:\s(?:[A-Z][a-z]?|NULL))+)$", line)
        if names is None:
            continue
        found = tuple(names.group(1).split())
        open_ends = any(name == "NULL" for name in found)
        if not elements and not open_ends:
            return found
        if len(elements) == len(found) and all(
            name in ("NULL", element) for name, element in zip(found, elements, strict=True)
        ):
            return elements
        if not open_ends and set(elements) <= set(found):
            return found
        raise InputError(
            f"reading {path}: its LAMMPS types are {' '.join(found)}, the elements asked for are "
            f"{' '.join(elements) or 'not given'}; give one element for each type"
        )
    raise InputError(f"reading {path}: no 'pair_coeff * *' line that ends with elements")


def _snapcoeff_elements(path: Path) -> tuple[str, ...]:
    """The first word of each element's block; blocks follow the line ``nelements ncoefficients``."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        lines = [words for line in stream if (words := line.split("#")[0].split())]
    try:
        count, length = int(lines[0][0]), int(lines[0][1])
        names = tuple(lines[1 + block * (length + 1)][0] for block in range(count))
        if any(name not in atomic_numbers for name in names):
            raise ValueError
    except (ValueError, IndexError):
        raise InputError(
            f"reading {path}: not a SNAP coefficient file (a line 'elements coefficients', then for each "
            "element 'name radius weight' and its coefficients)"
        ) from None
    return names


def _logical_lines(path: Path) -> list[str]:
    """The commands of a LAMMPS file: continued lines joined, comments and empty lines left out."""
    text = re.sub(r"&[ \t]*\n", " ", path.read_text(encoding="utf-8", errors="replace"))
    stripped = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


def _with_absolute_files(line: str, folder: Path) -> str:
    """The command with every word that names a file in ``folder`` replaced by its path."""
    words = (_quoted(folder / word) if (folder / word).is_file() else word for word in line.split())
    return " ".join(words)


# ---------------------------------------------------------------------- common


def _chosen(path: Path, known: tuple[str, ...], elements: tuple[str, ...]) -> tuple[str, ...]:
    """The elements asked for, or all that the file knows."""
    missing = [element for element in elements if element not in known]
    if missing:
        raise InputError(f"reading {path}: it knows {', '.join(known)}, not {', '.join(missing)}")
    return elements or known


def _suffix(path: Path) -> str:
    """The longest ending that names a kind of potential file."""
    return next((suffix for suffix in _EAM_STYLES if path.name.endswith(suffix)), path.suffix)


def _quoted(path: Path) -> str:
    """A path as one word of a LAMMPS command."""
    text = str(path)
    return shlex.quote(text) if any(letter in text for letter in " #&$'\"") else text
