"""The two sets of the study: generated and expert-curated, labelled by one and the same potential."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mechlearn.engines import run_campaign
from mechlearn.interactions import label, labeller
from mechlearn.sampling import GenerationSettings, expert_structures, generate_structures
from mechlearn.structures import LabelReport, StructureBatch, StructureSet, check_labels, read_structures
from mechlearn.studies.context import StudyContext
from mechlearn.studies.transferability_config import ENTROPY, EXPERT, SETS, TransferabilityConfig

#: Structures of one part: what a worker makes and labels at a time.
STRUCTURES_PER_PART = 64


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
        folder = context.data / name
        store = StructureSet.create(folder)
        count = _count(name, config, context)
        parts = -(-count // STRUCTURES_PER_PART)
        if any(not store.has_part(part) for part in range(parts)):
            with context.executor() as pool:
                run_campaign(
                    partial(make_part, config, name, str(context.data), context.seed, count),
                    range(parts),
                    pool,
                    done=store.has_part,
                    label=f"{name} set: {count} structures",
                )
        labelled[name] = StructureSet.open(folder).load()
    return StudySets(labelled, given, report)


def make_part(config: TransferabilityConfig, name: str, data: str, seed: int, count: int, part: int) -> int:
    """Make and label one part of a set; asked twice, it makes the same."""
    first = part * STRUCTURES_PER_PART
    indices = range(first, min(first + STRUCTURES_PER_PART, count))
    potential = labeller(config.labeller, (config.element,))
    if name == ENTROPY:
        batch = generate_structures(generation_settings(config), indices, seed)
    elif config.expert is not None:
        batch = StructureSet.open(Path(data) / "given").load().select(np.asarray(indices)).without_labels()
    else:
        batch = expert_structures(config.element, count, potential=potential, seed=seed, indices=list(indices))
    labelled = replace(label(batch, potential), origins=(config.labeller,) * len(batch))
    StructureSet.create(Path(data) / name).append(labelled, part=part)
    return part


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
