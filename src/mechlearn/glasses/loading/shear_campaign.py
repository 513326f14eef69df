"""Shearing whole sets of glasses to their first events, in several senses, on any number of workers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mechlearn.engines import executor, run_campaign
from mechlearn.engines.structure_sets import claimed
from mechlearn.errors import InputError, MechlearnError, WorkError
from mechlearn.glasses.loading.quasistatic_shear import SENSES, ShearSettings
from mechlearn.glasses.loading.shear_legs import LEG_STEPS, shear_in_legs
from mechlearn.glasses.loading.shear_runs import ShearRuns, run_name, specimen_key, write_run
from mechlearn.glasses.named_potentials import glass_potential, potential_record, shear_settings_for
from mechlearn.interactions import Potential
from mechlearn.records import remove_leftovers
from mechlearn.structures import StructureBatch, StructureSet
from mechlearn.structures.store import read_part

_DOING = "shearing glasses"

#: What a sense may be called, for it is part of a file's name.
_SENSE = re.compile(r"[A-Za-z0-9.+-]{1,40}")


def shear_glasses(
    glasses: StructureSet | StructureBatch,
    potential: str | Path | Potential,
    out: Path | str,
    *,
    senses: Mapping[str, Float[np.ndarray, "3 3"]] = SENSES,
    settings: ShearSettings | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    pool: Executor | None = None,
) -> ShearRuns:
    """Shear every glass in every sense to its first event, one file a run, going on where an earlier call stopped.

    Every glass is brought to rest first, as well as every step is.  A run that could not come to rest at some strain is
    kept, and says so.  Within a run too, no more than 50 steps are lost with a kill: what is stored is where the next
    steps begin, killed or not, so that the bytes of a run depend on the glass, the sense, the potential and the
    settings alone.  More glasses may be sheared into the same folder later; other settings are refused.

    Parameters
    ----------
    glasses
        The specimens.
    potential
        By name, or itself (see :func:`~mechlearn.glasses.glass_potential`).
    out
        The folder of the runs.
    senses
        Velocity gradients of any kind by their names; by default the six shears.
    settings
        How to shear; by default to the first event by steps of 1e-4.
    workers, scheduler
        As in :func:`mechlearn.engines.executor`.
    pool
        What runs the runs in their place.

    Returns
    -------
    runs
        Those of these glasses and senses.

    Raises
    ------
    InputError
        There is no glass, or one twice; a sense has no name for a file, or no gradient; the folder was made with other
        settings; or as the potential.
    WorkError
        A run failed; all others are done first.

    Examples
    --------
    >>> import tempfile
    >>> from ase.build import bulk
    >>> crystal = StructureBatch.from_atoms([bulk("Cu", a=3.639, cubic=True)])
    >>> settings = ShearSettings(step=1e-3, final_strain=2e-3)
    >>> senses = {"xy": SENSES["xy"]}
    >>> runs = shear_glasses(crystal, "CuZr_mm.eam.fs", tempfile.mkdtemp(), senses=senses, settings=settings)
    >>> runs.names, runs[0].ended, len(runs[0].strains)
    (('glass-516ea7c8_xy',), 'final strain', 3)
    """
    out, senses = Path(out), {name: _gradient(name, given) for name, given in senses.items()}
    if not senses:
        raise InputError(f"{_DOING}: there is no sense; give at least one")
    settings = settings or shear_settings_for(potential)
    source, keys, elements = _specimens(glasses)
    # Read here once, so that a name that is none is said before anything is made.
    glass_potential(potential, elements)
    names = [run_name(key, sense) for key in keys for sense in senses]
    recipe = {
        "kind": "shear",
        "potential": potential_record(potential, elements),
        "settings": asdict(settings),
        "senses": senses,
        "leg_steps": LEG_STEPS,
    }
    with claimed(out, recipe, _DOING):
        remove_leftovers(out)
        runs = ShearRuns.create(out, names)
        task = _Shear(source, keys, tuple(senses.items()), potential, elements, settings, str(out.resolve()))
        campaign(task, len(names), lambda index: runs.file(names[index]).exists(), workers, scheduler, pool, _DOING)
    return runs


@dataclass(frozen=True, eq=False)
class ShearTask:
    """One specimen to be sheared in one sense; it can be sent to another process.

    Attributes
    ----------
    structure : StructureBatch
        The glass as it is given, a batch of one.
    specimen, sense : str
        What both are called.
    gradient : (3, 3)
        L.
    potential : str, Path or Potential
    elements : tuple of str
        Of all glasses of the campaign.
    settings : ShearSettings
    out : str
        The folder of the run, in full.
    leg_steps : int
        After so many steps the state is stored, and the next ones begin there.
    """

    structure: StructureBatch
    specimen: str
    sense: str
    gradient: Float[np.ndarray, "3 3"]
    potential: str | Path | Potential
    elements: tuple[str, ...]
    settings: ShearSettings
    out: str
    leg_steps: int = LEG_STEPS


def shear_one(task: ShearTask) -> dict[str, Any]:
    """Shear one specimen in one sense, and store the run; the facts of it.

    Raises
    ------
    InputError
        As the potential's ``at``.
    WorkError
        The softest mode before an event was not found, or a file cannot be written.
    """
    from threadpoolctl import threadpool_limits

    folder, name = Path(task.out), run_name(task.specimen, task.sense)
    # Sums in another order would be other bits: a run has one thread wherever it is made.
    with threadpool_limits(1):
        potential = glass_potential(task.potential, task.elements)
        part = folder / f"{name}.part"
        run = shear_in_legs(
            potential,
            task.structure,
            task.specimen,
            task.sense,
            task.gradient,
            task.settings,
            part=part,
            leg_steps=task.leg_steps,
        )
    write_run(run, folder / f"{name}.parquet")
    part.unlink(missing_ok=True)
    return run.facts


# ---------------------------------------------------------------------- the campaign


def campaign(
    task: Callable[[int], str],
    count: int,
    done: Callable[[int], bool],
    workers: int,
    scheduler: str | None,
    pool: Executor | None,
    doing: str,
) -> None:
    """Run all tasks that are not done; those that fail are told of once all others have run.

    Raises
    ------
    WorkError
        A task gave a message of what failed.
    """
    if all(done(index) for index in range(count)):
        return
    with executor(workers, scheduler) if pool is None else nullcontext(pool) as opened:
        told = run_campaign(task, range(count), opened, done=done, label=doing)
    if failed := [message for message in told.values() if message]:
        raise WorkError(
            f"{doing}: {len(failed)} of {count} failed, the others are done and kept; the first: {failed[0]}"
        )


@dataclass(frozen=True, eq=False)
class _Shear:
    """The task of a run's index, specimen by specimen."""

    source: StructureBatch | tuple[tuple[str, int], ...]
    keys: tuple[str, ...]
    senses: tuple[tuple[str, Float[np.ndarray, "3 3"]], ...]
    potential: str | Path | Potential
    elements: tuple[str, ...]
    settings: ShearSettings
    out: str

    def __call__(self, index: int) -> str:
        """What failed, or nothing."""
        specimen, place = divmod(index, len(self.senses))
        sense, gradient = self.senses[place]
        key = self.keys[specimen]
        if isinstance(self.source, StructureBatch):
            structure = self.source.select([specimen])
        else:
            part, row = self.source[specimen]
            structure = read_part(Path(part)).select([row])
        task = ShearTask(structure, key, sense, gradient, self.potential, self.elements, self.settings, self.out)
        try:
            shear_one(task)
        except WorkError as error:
            return f"{run_name(key, sense)}: {error}"
        except MechlearnError as error:
            raise type(error)(f"{run_name(key, sense)}: {error}") from error
        return ""


def _specimens(
    glasses: StructureSet | StructureBatch,
) -> tuple[StructureBatch | tuple[tuple[str, int], ...], tuple[str, ...], tuple[str, ...]]:
    """Where every glass is found, its key, and the elements of all."""
    places: list[tuple[str, int]] = []
    keys: list[str] = []
    elements: set[str] = set()
    if isinstance(glasses, StructureBatch):
        batches = [("", glasses)]
    else:
        # One part in memory at a time would do, but a set of glasses is small.
        batches = [(str(part.resolve()), read_part(part)) for part in glasses.parts]
    for part, batch in batches:
        for row in range(len(batch)):
            places.append((part, row))
            keys.append(specimen_key(batch.select([row])))
        elements |= set(batch.elements)
    if not keys:
        raise InputError(f"{_DOING}: there is no glass; give at least one")
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"{_DOING}: {twice} is there twice; give every glass once")
    source = glasses if isinstance(glasses, StructureBatch) else tuple(places)
    return source, tuple(keys), tuple(sorted(elements))


def _gradient(name: str, given: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The gradient of a sense, if both can be."""
    if not _SENSE.fullmatch(name) or name.startswith("."):
        raise InputError(
            f"{_DOING}: a sense is called {name!r}, which is part of a file's name; use up to 40 letters, digits, "
            "points, plus and minus signs"
        )
    gradient = np.asarray(given, dtype=np.float64)
    if gradient.shape != (3, 3) or not np.isfinite(gradient).all() or not gradient.any():
        raise InputError(
            f"{_DOING}: the velocity gradient of {name} is {gradient.tolist()}; give a 3 × 3 matrix of numbers"
        )
    return gradient
