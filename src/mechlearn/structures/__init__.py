"""Structures: batches in memory, sets on disk, their formats, checks and splits."""

from mechlearn.structures.batch import StructureBatch
from mechlearn.structures.checks import check_labels
from mechlearn.structures.findings import Finding, LabelReport
from mechlearn.structures.formats import read_structures, write_structures
from mechlearn.structures.neighbours import NeighbourList
from mechlearn.structures.splits import Split, split_by_group, split_by_origin, split_random
from mechlearn.structures.store import StructureSet

__all__ = [
    "Finding",
    "LabelReport",
    "NeighbourList",
    "Split",
    "StructureBatch",
    "StructureSet",
    "check_labels",
    "read_structures",
    "split_by_group",
    "split_by_origin",
    "split_random",
    "write_structures",
]
