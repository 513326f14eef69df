"""The part of LAMMPS's input language in which potentials are published: variables, styles, coefficients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ase.data import atomic_numbers

from mechlearn.errors import InputError

#: A command of an input: the number of its first line, and its words with the variables put in.
Line = tuple[int, list[str]]


@dataclass(frozen=True)
class PairCommands:
    """What the ``pair_style`` and ``pair_coeff`` lines of a SNAP potential say.

    Attributes
    ----------
    elements : tuple of str
        The element of every atom type, each once.
    coefficients, parameters : Path
        The files the input names, found from the input's own folder.
    zbl_range : (inner, outer) or None
        The switching range of the ZBL repulsion between all pairs, Å.
    """

    elements: tuple[str, ...]
    coefficients: Path
    parameters: Path
    zbl_range: tuple[float, float] | None


def read_words(path: str | Path) -> list[Line]:
    """The lines of a text file that say something: their numbers and words, without comments and quotes.

    Raises
    ------
    InputError
        The file is missing, is a folder, or is no text.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"reading {path}: it is no text file; give a file in LAMMPS's format") from None
    except OSError as error:
        raise InputError(f"reading {path}: {error.strerror}; check the path") from None
    lines = ((number, line.split("#")[0].split()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, [word.strip("\"'") for word in words]) for number, words in lines if words]


def read_pair_commands(path: str | Path) -> PairCommands:
    """Read the SNAP potential that a LAMMPS input sets up.

    Understood are ``variable`` (equal, index, string), ``${name}`` and ``$x``, lines continued by ``&``, and
    the styles ``snap`` and ``hybrid/overlay`` of ``zbl`` and ``snap``.

    Raises
    ------
    InputError
        There is no SNAP potential in the file, or it uses a style or form that is not understood (named).
    """
    path = Path(path)
    styles: dict[str, tuple[float, ...]] | None = None
    overlay = False
    snap: tuple[int, list[str]] | None = None
    charges: list[tuple[int, list[str]]] = []
    for number, words in _commands(path):
        if words[0] == "pair_style":
            overlay = words[1:2] == ["hybrid/overlay"]
            styles = _styles(words[2:] if overlay else words[1:], path, number)
        elif words[0] == "pair_coeff":
            style, arguments = (words[3], words[4:]) if overlay and len(words) > 3 else ("snap", words[3:])
            if style == "zbl":
                charges.append((number, [*words[1:3], *arguments]))
            elif style == "snap" and words[1:3] == ["*", "*"] and len(arguments) >= 3:
                snap = (number, arguments)
            else:
                raise InputError(
                    f"reading {path}, line {number}: '{' '.join(words)}' is not understood; expected "
                    "'pair_coeff * * [snap] FILE.snapcoeff FILE.snapparam ELEMENT ...'"
                )
    if styles is None or "snap" not in styles or snap is None:
        raise InputError(
            f"reading {path}: no pair_style snap with its pair_coeff line; give the input of a SNAP potential"
        )
    elements = _elements(snap, path)
    if "zbl" in styles:
        _check_charges(charges, elements, path)
    zbl = styles.get("zbl")
    return PairCommands(
        elements=tuple(dict.fromkeys(elements)),
        coefficients=path.parent / snap[1][0],
        parameters=path.parent / snap[1][1],
        zbl_range=None if zbl is None else (zbl[0], zbl[1]),
    )


def _commands(path: Path) -> Iterator[Line]:
    """The commands of an input, continued lines joined, variables put in; ``variable`` itself is taken in."""
    variables: dict[str, str] = {}
    first = 0
    pending: list[str] = []
    for number, words in read_words(path):
        first = first if pending else number
        continued = words[-1] == "&"
        pending += words[:-1] if continued else words
        if continued:
            continue
        command = [_substitute(word, variables, path, first) for word in pending]
        pending = []
        if command[0] != "variable":
            yield first, command
        elif len(command) >= 4 and command[2] in ("equal", "index", "string"):
            # As in LAMMPS, a variable of these styles other than equal keeps the value it was first given.
            if command[2] == "equal" or command[1] not in variables:
                variables[command[1]] = command[3]
        else:
            raise InputError(
                f"reading {path}, line {first}: '{' '.join(command)}' is not understood; "
                "only variables of the styles equal, index and string are"
            )


def _substitute(word: str, variables: dict[str, str], path: Path, line: int) -> str:
    """Put the values of ``${name}`` and ``$x`` in."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        if name not in variables:
            raise InputError(f"reading {path}, line {line}: the variable '{name}' has no value; define it before")
        return variables[name]

    return re.sub(r"\$\{(\w+)\}|\$(\w)", value, word)


def _styles(words: list[str], path: Path, line: int) -> dict[str, tuple[float, ...]]:
    """The sub-styles with their numbers, of which only ``snap`` and ``zbl`` are understood."""
    styles: dict[str, tuple[float, ...]] = {}
    remaining = list(words)
    while remaining:
        style = remaining.pop(0)
        if style == "snap":
            styles[style] = ()
        elif style == "zbl" and len(remaining) >= 2:
            styles[style] = (_charge(remaining.pop(0), path, line), _charge(remaining.pop(0), path, line))
        else:
            raise InputError(
                f"reading {path}, line {line}: the pair_style '{style}' is not supported, only snap and "
                "zbl with snap; evaluate this potential through LAMMPS instead (LammpsPotential)"
            )
    return styles


def _elements(snap: Line, path: Path) -> list[str]:
    """The elements at the end of SNAP's ``pair_coeff`` line, one an atom type."""
    number, arguments = snap
    for name in arguments[2:]:
        if name not in atomic_numbers:
            raise InputError(f"reading {path}, line {number}: '{name}' is no element; map every atom type to one")
    return arguments[2:]


def _check_charges(charges: list[Line], elements: list[str], path: Path) -> None:
    """See that the ZBL repulsion acts between all pairs of types, with their elements' nuclear charges."""
    covered = set()
    for number, words in charges:
        if len(words) != 4:
            raise InputError(f"reading {path}, line {number}: expected 'pair_coeff I J zbl Z_I Z_J'; correct it")
        found = (_charge(words[2], path, number), _charge(words[3], path, number))
        for first in _types(words[0], len(elements), path, number):
            for second in _types(words[1], len(elements), path, number):
                expected = (atomic_numbers[elements[first]], atomic_numbers[elements[second]])
                if found != expected:
                    raise InputError(
                        f"reading {path}, line {number}: the ZBL charges {found[0]:g} and {found[1]:g} are "
                        f"not those of {elements[first]} ({expected[0]}) and "
                        f"{elements[second]} ({expected[1]}); correct them"
                    )
                covered |= {(first, second), (second, first)}
    for first, one in enumerate(elements):
        for second, other in enumerate(elements):
            if (first, second) not in covered:
                raise InputError(
                    f"reading {path}: no ZBL repulsion between {one} and {other}, while others have "
                    "one; give every pair its pair_coeff line"
                )


def _types(word: str, count: int, path: Path, line: int) -> range:
    """The atom types, from 0, that LAMMPS's ``2``, ``*``, ``2*``, ``*3`` or ``1*3`` stands for."""
    match = re.fullmatch(r"(\d*)(\*?)(\d*)", word)
    if not word or match is None or (not match.group(2) and int(word) > count):
        raise InputError(f"reading {path}, line {line}: '{word}' names no atom type of the {count} of this potential")
    if not match.group(2):
        return range(int(word) - 1, int(word))
    return range(int(match.group(1) or 1) - 1, min(int(match.group(3) or count), count))


def _charge(word: str, path: Path, line: int) -> float:
    """A number among a command's words."""
    try:
        return float(word)
    except ValueError:
        raise InputError(f"reading {path}, line {line}: '{word}' is no number; correct it") from None
