"""Reading structures from what people hold, and writing them for other codes.

Every label keeps its meaning on the way in: eV, eV/Å, and eV/Å³ with tension positive.  A label that a file
does not have is NaN; a label that it has and that is not finite is an error, since it would pass for an
absent one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np

from mechlearn.errors import InputError, WorkError
from mechlearn.structures.batch import StructureBatch
from mechlearn.structures.fitsnap import fitsnap_text, natural_key, read_fitsnap, write_fitsnap
from mechlearn.structures.xyz import check_xyz, write_xyz

if TYPE_CHECKING:
    from ase import Atoms

#: File names that hold structures, with ASE's name of the format; the first that fits is taken.
_FORMATS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r".*\.(ext)?xyz", "extxyz"),
        (r".*\.json", "fitsnap"),
        (r".*\.parquet", "parquet"),
        (r"(.*[._-])?outcar([._-].*)?", "vasp-out"),
        (r"(.*[._-])?vasprun.*\.xml|vasprun.*\.xml", "vasp-xml"),
        (r".*\.(dump|lammpstrj)|dump\..*", "lammps-dump-text"),
        (r".*\.(lmp|lammps|lammps-data|data)|data\..*", "lammps-data"),
        (r"(.*[._-])?(poscar|contcar)([._-].*)?|.*\.vasp", "vasp"),
        (r".*\.traj", "traj"),
        (r".*\.cif", "cif"),
    )
)
#: Other names that labels go by in extended XYZ files, tried in this order where ASE found none.
_ENERGY_KEYS: Final = ("REF_energy", "ref_energy", "DFT_energy", "dft_energy", "TotEnergy")
_FORCE_KEYS: Final = ("REF_forces", "ref_forces", "DFT_forces", "dft_forces", "force", "dft_force")
_STRESS_KEYS: Final = ("REF_stress", "ref_stress", "DFT_stress", "dft_stress")
_VIRIAL_KEYS: Final = ("virial", "virials", "REF_virial", "ref_virial", "DFT_virial", "dft_virial")


# ---------------------------------------------------------------------- reading


def read_structures(path: str | Path, *, elements: Sequence[str] | None = None) -> StructureBatch:
    """Read structures and their labels from a file or a folder.

    Parameters
    ----------
    path : str or Path
        A structure set; a folder of FitSNAP JSON (a subfolder is a group); extended XYZ; a LAMMPS data file
        or dump; VASP's OUTCAR or vasprun.xml; anything else that ASE reads; or a folder of those.
    elements : sequence of str, optional
        The elements of LAMMPS's atom types 1, 2, …, for files that do not name them.

    Returns
    -------
    StructureBatch
        Natural order of file names.  ``groups`` come from the file where it has them (``group`` or
        ``config_type``), else from the folder or the file's name; ``origins`` are ``path``.

    Raises
    ------
    InputError
        Where something is missing, empty, truncated, not finite or inconsistent; file and place are named.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"reading {path}: no such file or folder; check the path")
    if path.is_dir():
        return _read_folder(path, elements)
    batch = _read_file(path, elements, root=path)
    if len(batch) == 0:
        raise InputError(f"reading {path}: it holds no structure; give a file that has some")
    return batch


def _read_folder(folder: Path, elements: Sequence[str] | None) -> StructureBatch:
    from mechlearn.structures.store import StructureSet

    structures = StructureSet(folder)
    if structures.parts:
        return structures.load()
    files = _structure_files(folder)
    if not files:
        raise InputError(
            f"reading {folder}: the folder holds no file of structures (.json, .xyz, OUTCAR, vasprun.xml, "
            "LAMMPS data or dump); check the path"
        )
    json_paths = [file for file in files if file.suffix.lower() == ".json"]
    batch, others = read_fitsnap(json_paths, root=folder)
    taken = set(json_paths).difference(others)
    batches = [batch] + [_read_file(file, elements, root=folder) for file in files if file not in taken]
    batch = StructureBatch.concatenate(each for each in batches if len(each))
    if len(batch) == 0:
        raise InputError(f"reading {folder}: its files hold no structure; give a folder that has some")
    return batch


def _structure_files(folder: Path) -> list[Path]:
    """The visible files below a folder that are structures by their name, in natural order."""
    found: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(parent, name) for name in names if not name.startswith(".") and _format_of(name)]
    return [Path(path) for path in sorted(found, key=natural_key)]


def _format_of(name: str) -> str | None:
    """The format that a file's name speaks of."""
    return next((kind for pattern, kind in _FORMATS if pattern.fullmatch(name)), None)


def _read_file(path: Path, elements: Sequence[str] | None, *, root: Path) -> StructureBatch:
    """The structures of one file; ``root`` is what the user named."""
    if path.stat().st_size == 0:
        raise InputError(f"reading {path}: the file is empty; copy it again or leave it out")
    kind = _format_of(path.name) or _format_by_content(path)
    if kind == "parquet":
        from mechlearn.structures.store import read_part

        return read_part(path)
    if kind == "fitsnap":
        batch, others = read_fitsnap([path], root=root)
        if not others:
            return batch
        kind = "json"
    if kind == "extxyz":
        check_xyz(path)
    images = _ase_images(path, kind, elements)
    _check_images(path, images)
    group = path.stem if path == root or path.parent == root else path.parent.relative_to(root).as_posix()
    batch = StructureBatch.from_atoms(images, group=group, origin=str(root))
    seeds = np.array([int(image.info.get("seed", -1)) for image in images], dtype=np.int64)
    return replace(batch, seeds=seeds, names=tuple(_names(path, images)))


def _format_by_content(path: Path) -> str | None:
    """The format of a file whose name says nothing, by its first bytes; None leaves the guess to ASE."""
    with path.open("rb") as handle:
        head = handle.read(2048)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ITEM:"):
        return "lammps-dump-text"
    if head.lstrip()[:1] == b"{" or b'"Dataset"' in head:
        return "fitsnap"
    if re.search(rb"^\s*\d+\s+atoms\b", head, re.MULTILINE):
        return "lammps-data"
    if re.match(rb"\s*\d+\s*\n[^\n]*(Lattice|Properties)=", head):
        return "extxyz"
    return None


def _names(path: Path, images: Sequence[Atoms]) -> list[str]:
    """Each structure's own name, or the file's, numbered where it holds several."""
    many = len(images) > 1
    return [
        str(image.info.get("name", f"{path.stem}-{index}" if many else path.stem)) for index, image in enumerate(images)
    ]


# ---------------------------------------------------------------------- through ASE


def _ase_images(path: Path, kind: str | None, elements: Sequence[str] | None) -> list[Atoms]:
    """What ASE reads from a file, its errors told in one line."""
    from ase.io import read

    options: dict[str, Any] = {}
    if kind in ("lammps-data", "lammps-dump-text"):
        options = _lammps_options(path, kind, elements)
    try:
        # An @ is part of the file's name, not the beginning of an index.
        images = read(path, index=slice(None), format=kind, do_not_split_by_at_sign=True, **options)
    except InputError:
        raise
    # ASE's parsers raise whatever the line they stumble over makes Python raise.
    except Exception as error:
        what = str(error).strip().splitlines()[0] if str(error).strip() else "the file ends early"
        raise InputError(
            f"reading {path}: ASE cannot read it as {kind or 'any format it knows'} ({type(error).__name__}: "
            f"{what[:160]}); check that the file is whole and of that format"
        ) from error
    images = images if isinstance(images, list) else [images]
    for image in images:
        _adopt_labels(image)
        if "group" not in image.info and "config_type" in image.info:
            image.info["group"] = image.info["config_type"]
    return images


def _lammps_options(path: Path, kind: str, elements: Sequence[str] | None) -> dict[str, Any]:
    """How ASE is told the elements of LAMMPS's types, which it would otherwise take for atomic numbers."""
    from ase.data import atomic_numbers

    unknown = [symbol for symbol in elements or () if symbol not in atomic_numbers]
    if unknown:
        raise InputError(f"reading {path}: {unknown[0]!r} is not a chemical symbol; name the elements of types 1, 2, …")
    text = path.read_text(encoding="utf-8", errors="replace")
    if kind == "lammps-dump-text":
        columns = re.search(r"^ITEM: ATOMS(.*)$", text, re.MULTILINE)
        named = columns is not None and bool({"element", "mass"} & set(columns[1].split()))
        options: dict[str, Any] = {"specorder": list(elements)} if elements else {}
        types = columns is not None
    else:
        named = re.search(r"^\s*(Masses|Atom Type Labels)\b", text, re.MULTILINE) is not None
        options = {"Z_of_type": {i + 1: atomic_numbers[symbol] for i, symbol in enumerate(elements or ())} or None}
        types = True
    if types and not named and not elements:
        raise InputError(
            f"reading {path}: it numbers its atom types and does not name their elements; pass elements, the "
            "chemical symbols of types 1, 2, …"
        )
    return options


def _adopt_labels(image: Atoms) -> None:
    """Take up labels that stand under names ASE does not know."""
    from ase.calculators.singlepoint import SinglePointCalculator

    results = dict(getattr(image.calc, "results", None) or {})
    found: dict[str, Any] = {}
    if "energy" not in results and "free_energy" not in results:
        found["energy"] = _first(image.info, _ENERGY_KEYS)
    if "forces" not in results:
        found["forces"] = _first(image.arrays, _FORCE_KEYS)
    if "stress" not in results:
        stress, virial = _first(image.info, _STRESS_KEYS), _first(image.info, _VIRIAL_KEYS)
        if stress is None and virial is not None:
            stress = -np.asarray(virial, dtype=float) / image.get_volume()
        found["stress"] = None if stress is None else _voigt(stress)
    found = {key: value for key, value in found.items() if value is not None}
    if found:
        image.calc = SinglePointCalculator(image, **results, **found)


def _first(record: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((record[key] for key in keys if key in record), None)


def _voigt(stress: Any) -> np.ndarray:
    from ase.stress import full_3x3_to_voigt_6_stress

    array = np.asarray(stress, dtype=float)
    return array if array.shape == (6,) else full_3x3_to_voigt_6_stress(array.reshape(3, 3))


def _check_images(path: Path, images: Sequence[Atoms]) -> None:
    """Refuse cells without volume, counts that differ, and numbers that are not finite."""
    for index, image in enumerate(images):
        where = f"reading {path}: structure {index + 1}"
        if len(image) == 0:
            raise InputError(f"{where} has no atoms; leave it out")
        vectors = image.cell.array[image.pbc]
        if image.pbc.any() and np.linalg.matrix_rank(vectors, tol=1e-6) < len(vectors):
            raise InputError(f"{where} has a singular cell {vectors.tolist()}; give independent lattice vectors")
        if image.cell.rank == 3 and image.cell.volume < 1e-6:
            raise InputError(f"{where} has a singular cell (volume 0); give three independent lattice vectors")
        results = getattr(image.calc, "results", None) or {}
        forces = results.get("forces")
        if forces is not None and np.shape(forces) != (len(image), 3):
            raise InputError(
                f"{where} has {len(image)} atoms but forces of shape {np.shape(forces)}; give one force an atom"
            )
        for field, rows in (("positions", image.positions), ("forces", forces)):
            if rows is not None and not np.isfinite(rows).all():
                atom = int(np.argmax(~np.isfinite(rows).all(axis=1)))
                raise InputError(
                    f"{where} has {field} {np.asarray(rows)[atom].tolist()} at atom {atom + 1} (counted from "
                    "1); repeat the calculation or leave the structure out"
                )
        for field in ("energy", "stress"):
            if results.get(field) is not None and not np.isfinite(results[field]).all():
                raise InputError(
                    f"{where} has {field} {results[field]}; repeat the calculation or leave the structure out"
                )


# ---------------------------------------------------------------------- writing


def write_structures(batch: StructureBatch, path: str | Path) -> Path:
    """Write structures in the format that the path's ending names.

    Parameters
    ----------
    batch : StructureBatch
        The structures.
    path : str or Path
        ``.xyz`` or ``.extxyz`` for extended XYZ, ``.json`` for one structure in FitSNAP's format,
        ``.parquet`` for a structure set (a folder), and no ending for a folder of FitSNAP JSON.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        Where the ending is none of these, the batch is empty, or a folder is there already and not empty.
    WorkError
        Where the disk is full or refuses; nothing half written is left under that name.
    """
    path = Path(path)
    if len(batch) == 0:
        raise InputError(f"writing {path}: the batch is empty; give at least one structure")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _write_set(batch, path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix in (".xyz", ".extxyz"):
            write_xyz(batch, temporary)
        elif suffix == ".json" and len(batch) == 1:
            temporary.write_text(fitsnap_text(batch, 0), encoding="utf-8")
        elif suffix == "":
            _check_free(path)
            write_fitsnap(batch, temporary)
        else:
            raise InputError(_unknown_ending(path, len(batch)))
        temporary.replace(path)
    except OSError as error:
        raise WorkError(
            f"writing {path}: {error.strerror or error}; nothing was written: free space or choose another folder"
        ) from error
    finally:
        _remove(temporary)
    return path


def _write_set(batch: StructureBatch, path: Path) -> Path:
    from mechlearn.structures.store import StructureSet

    structures = StructureSet.create(path, exist_ok=False)
    structures.append(batch)
    return path


def _check_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"writing {folder}: it exists and is not an empty folder; choose another name or remove it")


def _unknown_ending(path: Path, count: int) -> str:
    if path.suffix.lower() == ".json":
        return (
            f"writing {path}: FitSNAP's format has one structure a file and there are {count}; name a folder "
            "(no ending)"
        )
    return (
        f"writing {path}: no format has the ending {path.suffix!r}; use .xyz, .extxyz, .parquet, or no "
        "ending for a folder of FitSNAP JSON"
    )


def _remove(temporary: Path) -> None:
    """Remove a temporary file or folder, if it is still there."""
    import shutil

    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)
