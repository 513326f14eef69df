"""Sets on disk: structures diverse by construction, an element's expert set, and labels."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from mechlearn.engines.structure_sets import STRUCTURES_PER_PART, make_set
from mechlearn.errors import InputError
from mechlearn.interactions import Potential, absolute_name, label, labeller
from mechlearn.sampling.expert import expert_structures
from mechlearn.sampling.expert_crystal import Crystal
from mechlearn.sampling.generator import GenerationSettings, generate_structures, reference_scale
from mechlearn.structures import StructureBatch, StructureSet, read_structures


@dataclass(frozen=True)
class _Generated:
    """Structures of high and low entropy."""

    settings: GenerationSettings
    seed: int

    def __call__(self, indices: Sequence[int]) -> StructureBatch:
        return generate_structures(self.settings, indices, self.seed)


def generate(
    settings: GenerationSettings,
    count: int,
    out: Path | str,
    *,
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
) -> StructureSet:
    """Make a set of structures that are diverse by construction on disk, half maximised and half minimised.

    Parameters
    ----------
    settings : GenerationSettings
        How they are made.
    count : int
        How many structures.
    out : path
        The folder of the set.
    seed : int
        Same seed, same set, for any number of workers.
    workers, scheduler
        As in :func:`mechlearn.engines.executor`.

    Raises
    ------
    InputError
        If ``count`` is below one, or the folder holds a set made otherwise.
    """
    if count < 1:
        raise InputError(f"generating structures: the count is {count}; give at least 1")
    recipe = {
        "kind": "entropy",
        "settings": asdict(settings),
        "seed": seed,
        "descriptor_scale": reference_scale(settings),
    }
    maker = _Generated(settings, seed)
    return make_set(
        maker,
        count,
        Path(out),
        recipe,
        structures_per_part=STRUCTURES_PER_PART,
        workers=workers,
        scheduler=scheduler,
        doing="generating structures",
    )


@dataclass(frozen=True)
class _Expert:
    """The expert set of an element, heated with a potential where one is named."""

    element: str
    count: int
    potential: str | None
    seed: int

    def __call__(self, indices: Sequence[int]) -> StructureBatch:
        potential = None if self.potential is None else labeller(self.potential, (self.element,))
        return expert_structures(self.element, self.count, potential=potential, seed=self.seed, indices=indices)


def expert_set(
    element: str,
    count: int,
    out: Path,
    *,
    potential: str | None = "eam",
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
) -> StructureSet:
    """Make the built-in expert set of an element on disk.

    Parameters
    ----------
    element : str
        Chemical symbol of a bcc, fcc or hcp metal.
    count : int
        How many structures.
    out : Path
        The folder of the set.
    potential : str, optional
        What runs the dynamics of crystals and liquids, as :func:`mechlearn.interactions.labeller` names it;
        None leaves their atoms where random displacements put them.
    seed : int
        Same seed, same set.
    workers, scheduler
        As in :func:`mechlearn.engines.executor`.

    Raises
    ------
    InputError
        If the element is none to build with, or no such potential knows it; before anything is made.
    """
    Crystal.of(element)
    if potential is not None:
        labeller(potential, (element,))
    recipe = {"kind": "expert", "element": element, "potential": potential, "seed": seed}
    maker = _Expert(element, count, None if potential is None else absolute_name(potential), seed)
    return make_set(
        maker,
        count,
        out,
        recipe,
        structures_per_part=STRUCTURES_PER_PART,
        workers=workers,
        scheduler=scheduler,
        doing="making the expert set",
    )


@dataclass(frozen=True)
class _Labelled:
    """The structures of a source with the labels of a potential; ``named`` is the source as the user wrote it."""

    source: Path
    named: str
    potential: str
    campaign: str

    def __call__(self, indices: Sequence[int]) -> StructureBatch:
        batch, potential = _opened(self.source, self.potential, self.campaign)
        labelled = label(batch.select(list(indices)), potential)
        origins = (origin.replace(str(self.source), self.named, 1) for origin in labelled.origins)
        return replace(labelled, origins=tuple(origins))


@lru_cache(maxsize=1)
def _opened(source: Path, potential: str, campaign: str) -> tuple[StructureBatch, Potential]:
    """What the parts of one campaign share in a process: reading a source outlasts labelling a part."""
    batch = read_structures(source)
    return batch, labeller(potential, batch.elements)


def label_set(
    source: Path, potential: str, out: Path, *, workers: int = 1, scheduler: str | None = None
) -> StructureSet:
    """Label the structures of a file or folder with a potential, into a set on disk.

    Parameters
    ----------
    source : Path
        Structures in any readable format; the labels they have are replaced.
    potential : str
        As :func:`mechlearn.interactions.labeller` names it: ``"eam"``, ``"snap"``, ``"gpaw"``, a file,
        ``"module:callable"``.
    out : Path
        The folder of the labelled set.
    workers, scheduler
        As in :func:`mechlearn.engines.executor`.
    """
    maker = _Labelled(source.resolve(), str(source), absolute_name(potential), campaign=secrets.token_hex(8))
    count = len(_opened(maker.source, maker.potential, maker.campaign)[0])
    recipe = {"kind": "labelled", "source": str(source.resolve()), "potential": potential}
    return make_set(
        maker,
        count,
        out,
        recipe,
        structures_per_part=STRUCTURES_PER_PART,
        workers=workers,
        scheduler=scheduler,
        doing=f"labelling {source}",
    )
