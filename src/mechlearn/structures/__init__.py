"""Structures: batches in memory, sets on disk, their formats, checks and splits."""

from mechlearn.structures.batch import StructureBatch

__all__ = ["StructureBatch"]
