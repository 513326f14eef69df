"""The two sets of the study: generated and expert-curated, labelled by one and the same potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mechlearn.interactions import absolute_name, label, labeller
from mechlearn.sampling import GenerationSettings, expert_structures, generate_structures, make_set
from mechlearn.structures import LabelReport, StructureBatch, StructureSet, check_labels, read_structures
from mechlearn.studies.context import StudyContext
from mechlearn.studies.transferability_config import ENTROPY, EXPERT, SETS, TransferabilityConfig


@dataclass(frozen=True, eq=False)
class StudySets:
    """The data of the study.

    Attributes
    ----------
    labelled : mapping of str to StructureBatch
        Both sets with the study's labels.
    given : StructureBatch or None
        The expert's own set with its own labels, where one was given.
    report : LabelReport or None
        What is suspect in those labels.
    """

    labelled: dict[str, StructureBatch]
    given: StructureBatch | None
    report: LabelReport | None


def prepare_sets(config: TransferabilityConfig, context: StudyContext) -> StudySets:
    """Make, or go on making, both sets."""
    given = None if config.expert is None else read_structures(Path(config.expert))
    report = None if given is None else check_labels(given)
    if report is not None:
        context.log(f"labels of {config.expert}:\n{report}")
    if given is not None:
        _write_sample(given, config, context)
    labelled = {}
    for name in SETS:
        count = _count(name, config, context)
        store = make_set(
            _LabelledPart(config, name, absolute_name(config.labeller), str(context.data), context.seed, count),
            count,
            context.data / name,
            {"study": "transferability", "set": name, "settings": context.fingerprint},
            workers=context.workers,
            scheduler=context.scheduler,
            pool=context.pool,
            doing=f"{name} set, {count} structures",
        )
        labelled[name] = store.load()
    return StudySets(labelled, given, report)


@dataclass(frozen=True)
class _LabelledPart:
    """Makes structures of one of the study's sets, with the study's labels."""

    config: TransferabilityConfig
    name: str
    potential: str
    data: str
    seed: int
    count: int

    def __call__(self, indices: Sequence[int]) -> StructureBatch:
        config = self.config
        potential = labeller(self.potential, (config.element,))
        if self.name == ENTROPY:
            batch = generate_structures(generation_settings(config), indices, self.seed)
        elif config.expert is not None:
            batch = StructureSet.open(Path(self.data) / "given").load().select(np.asarray(indices))
        else:
            batch = expert_structures(
                config.element, self.count, potential=potential, seed=self.seed, indices=list(indices)
            )
        return replace(label(batch, potential), origins=(config.labeller,) * len(batch))


def generation_settings(config: TransferabilityConfig) -> GenerationSettings:
    """How the diverse set is made."""
    return GenerationSettings((config.element,), atomic_volume=config.atomic_volume)


def _count(name: str, config: TransferabilityConfig, context: StudyContext) -> int:
    if name == EXPERT and config.expert is not None:
        return len(StructureSet.open(context.data / "given"))
    return config.structures


def _write_sample(given: StructureBatch, config: TransferabilityConfig, context: StudyContext) -> None:
    """Keep what the study takes of a given set: all of it, or as many structures as asked for, drawn at random."""
    store = StructureSet.create(context.data / "given")
    if not store.has_part(0):
        taken = np.arange(len(given))
        if len(given) > config.structures:
            taken = np.sort(context.rng(11).choice(len(given), config.structures, replace=False))
        store.append(given.select(taken), part=0)
