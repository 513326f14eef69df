"""Labels for structures: a labeller by its short name, and its energies, forces and stresses on a batch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import numpy as np

from mechlearn.engines.lammps import potential_folder
from mechlearn.errors import InputError, MechlearnError, WorkError
from mechlearn.interactions.ase import AsePotential
from mechlearn.interactions.checks import check_geometry, structure_name
from mechlearn.interactions.gpaw import gpaw_potential
from mechlearn.interactions.lammps import LammpsPotential
from mechlearn.interactions.lammps_files import bundled, known_elements
from mechlearn.interactions.potential import Evaluation, Potential
from mechlearn.structures import StructureBatch

_SHORT_NAMES = ("eam", "snap", "gpaw")
_ENDINGS = (".eam", ".alloy", ".fs", ".snap", ".snapcoeff")


def labeller(name: str | Path, elements: Sequence[str] = ("W",)) -> Potential:
    """Find the potential that gives labels, by a name or a path.

    Parameters
    ----------
    name
        ``"eam"`` or ``"snap"``: the file for these elements that comes with LAMMPS (for tungsten
        ``W_zhou.eam.alloy`` and ``W_2940_2017_2.snap``); ``"gpaw"``: density functional theory; the path or
        name of an EAM or SNAP file; or ``"module:callable"``, which makes an ASE calculator.
    elements
        The chemical symbols it has to know.

    Raises
    ------
    InputError
        There is no such labeller, or it does not know an element; the nearest name is suggested.

    Examples
    --------
    >>> labeller("eam").name
    'W_zhou.eam.alloy'
    >>> labeller("snap", ("Ta",)).name
    'Ta06A.snap'
    >>> labeller("ase.calculators.emt:EMT", ("Cu",)).elements
    ('Cu',)
    """
    text, elements = str(name), tuple(elements)
    if text in ("eam", "snap"):
        file = bundled(text, elements)
        if file is None:
            raise InputError(
                f"choosing labeller {text!r}: no {text.upper()} file that comes with LAMMPS knows "
                f"{' and '.join(elements)}; give the path of one that does, or 'module:callable' for an ASE calculator"
            )
        return LammpsPotential.from_files(file, elements=elements if text == "eam" else ())
    if text == "gpaw":
        return gpaw_potential()
    if Path(text).is_file() or (potential_folder() / text).is_file():
        return _of_file(text, elements)
    if ":" in text and not text.endswith(_ENDINGS):
        return AsePotential(_imported(text), elements, name=text)
    raise _unknown(text)


def absolute_name(name: str) -> str:
    """The name of a labeller that means the same to a process in another folder: a file's path in full.

    Examples
    --------
    >>> absolute_name("eam")
    'eam'
    """
    return str(Path(name).resolve()) if Path(name).is_file() else name


def label(
    batch: StructureBatch,
    potential: Potential,
    *,
    executor: Executor | None = None,
    structures_per_task: int = 64,
) -> StructureBatch:
    """Give every structure the energy, forces and stress of a potential, in place of those it has.

    Parameters
    ----------
    batch
        The structures.
    potential
        What computes the labels.
    executor
        Where they are computed; this process by default.
    structures_per_task
        How many structures go to a worker at a time. The labels do not depend on it.

    Raises
    ------
    InputError
        The potential does not know an element, or a structure has no sound geometry.
    WorkError
        The potential fails on a structure, or gives an energy or a force that is not finite.

    Examples
    --------
    >>> from ase.build import bulk
    >>> labelled = label(StructureBatch.from_atoms([bulk("W", a=3.1652)]), labeller("eam"))
    >>> round(float(labelled.energies_per_atom[0]), 3)
    -8.76
    """
    check_geometry(batch, "the labeller")
    if executor is None or len(batch) <= structures_per_task:
        evaluation = potential.evaluate(batch)
    else:
        evaluation = _in_chunks(batch, potential, executor, structures_per_task)
    _check_finite(batch, evaluation)
    return batch.with_labels(evaluation.energies, evaluation.forces, evaluation.stresses)


def _in_chunks(batch: StructureBatch, potential: Potential, executor: Executor, size: int) -> Evaluation:
    """Evaluate a few structures at a time, wherever the executor runs them."""
    starts = range(0, len(batch), size)
    futures = [
        executor.submit(potential.evaluate, batch.select(range(start, min(start + size, len(batch)))))
        for start in starts
    ]
    parts = []
    for start, future in zip(starts, futures, strict=True):
        try:
            parts.append(future.result())
        except MechlearnError as error:
            for waiting in futures:
                waiting.cancel()
            raise type(error)(f"labelling, counted from structure {start}: {error}") from error
    return Evaluation(
        energies=np.concatenate([part.energies for part in parts]),
        forces=np.concatenate([part.forces for part in parts]),
        stresses=np.concatenate([part.stresses for part in parts]),
    )


def _check_finite(batch: StructureBatch, evaluation: Evaluation) -> None:
    """A label that is not a number would pass for one that is absent."""
    sound = np.isfinite(evaluation.energies)
    np.logical_and.at(sound, batch.structure_of_atom, np.isfinite(evaluation.forces).all(axis=1))
    if not sound.all():
        bad = np.flatnonzero(~sound)
        raise WorkError(
            f"labelling: the energy or a force of {structure_name(batch, int(bad[0]))} is not finite "
            f"({len(bad)} such structures); do two of its atoms coincide?"
        )


# ---------------------------------------------------------------------- names


def _of_file(name: str, elements: tuple[str, ...]) -> Potential:
    """A potential file; of a ``.snap`` file, whose commands fix its elements, all of them."""
    known = known_elements(name)
    missing = [element for element in elements if element not in known]
    if known and missing:
        raise InputError(f"choosing labeller {name!r}: it knows {', '.join(known)}, not {', '.join(missing)}")
    return LammpsPotential.from_files(name, elements=() if name.endswith(".snap") else elements)


def _imported(name: str) -> Callable[[], Any]:
    """The callable of ``"module:callable"``; modules of the working directory count."""
    module, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"choosing labeller {name!r}: {error}; give 'module:callable' that makes an ASE calculator"
        ) from error
    if not callable(factory):
        raise InputError(f"choosing labeller {name!r}: {attribute} of {module} is not callable")
    return cast("Callable[[], Any]", factory)


def _unknown(name: str) -> InputError:
    """The error for a name that is none, with the nearest one that is."""
    files = [path.name for path in potential_folder().iterdir() if path.name.endswith(_ENDINGS)]
    near = get_close_matches(name, [*_SHORT_NAMES, *files], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return InputError(
        f"choosing a labeller: there is none named {name!r}; {hint}give one of {', '.join(_SHORT_NAMES)}, "
        "the path of an EAM or SNAP file, or 'module:callable' that makes an ASE calculator"
    )
