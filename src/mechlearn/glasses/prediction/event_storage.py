"""Graphs of events in one file, for worker processes that are to learn from them; it loads without executing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import numpy as np

from mechlearn.errors import InputError
from mechlearn.glasses.description.feature_table import Feature
from mechlearn.glasses.prediction.event_data import EventData, EventGraph
from mechlearn.learning import load_arrays, save_arrays
from mechlearn.structures import StructureBatch

Shared = TypeVar("Shared")

_KIND = "graphs of events"


def save_event_data(data: EventData, path: str | Path) -> Path:
    """Save graphs in one safetensors file, atomically; energies and forces of their structures are left out.

    What several graphs have in common, as the senses of one specimen do, is written once.

    Raises
    ------
    WorkError
        The file cannot be written.
    """
    structures, structure_of = _each_once([graph.structure for graph in data.graphs])
    edges, edges_of = _each_once([graph.edges for graph in data.graphs])
    batch = StructureBatch.concatenate(structures)
    arrays = {
        "positions": batch.positions,
        "cells": batch.cells,
        "species": batch.species,
        "sizes": batch.sizes,
        "periodic": batch.periodic,
        "edges": np.concatenate(edges, axis=1),
        "edge_counts": np.array([pairs.shape[1] for pairs in edges]),
        "structure_of_graph": np.array(structure_of),
        "edges_of_graph": np.array(edges_of),
        "features": data.values,
        "d2min": data.d2min,
        "triggers": np.array([graph.trigger for graph in data.graphs]),
        "strains": np.array([graph.strain for graph in data.graphs]),
    }
    words = {
        "kind": _KIND,
        "features": [asdict(feature) for feature in data.features],
        "specimens": [graph.specimen for graph in data.graphs],
        "senses": [graph.sense for graph in data.graphs],
        "names": list(batch.names),
    }
    return save_arrays(path, arrays, words)


def load_event_data(path: str | Path) -> EventData:
    """Read what :func:`save_event_data` wrote.

    Raises
    ------
    InputError
        The file is not there, is cut short, or holds something else.
    """
    arrays, words = load_arrays(path)
    if words.get("kind") != _KIND:
        raise InputError(f"reading graphs of events: {path} holds something else; give a file of graphs")
    batch = StructureBatch.from_arrays(
        arrays["positions"],
        arrays["cells"],
        arrays["species"],
        arrays["sizes"],
        periodic=arrays["periodic"],
        names=words["names"],
    )
    structures = [batch.select([index]) for index in range(len(batch))]
    edges = np.split(arrays["edges"], np.cumsum(arrays["edge_counts"])[:-1], axis=1)
    graphs, first = [], 0
    for index, (specimen, sense) in enumerate(zip(words["specimens"], words["senses"], strict=True)):
        structure = structures[arrays["structure_of_graph"][index]]
        own = slice(first, first + structure.atoms)
        first = own.stop
        graphs.append(
            EventGraph(
                specimen,
                sense,
                structure,
                arrays["features"][own],
                edges[arrays["edges_of_graph"][index]],
                arrays["d2min"][own],
                int(arrays["triggers"][index]),
                float(arrays["strains"][index]),
            )
        )
    return EventData(tuple(Feature(**feature) for feature in words["features"]), graphs)


def fingerprint(data: EventData) -> str:
    """A SHA-256, in hexadecimal digits, of all that a model can learn from these graphs.

    The order of the graphs counts; the units and sources of the features do not.
    """
    digest = hashlib.sha256("\0".join(data.names).encode())
    for graph in data.graphs:
        digest.update(f"\0{graph.specimen}\0{graph.sense}\0{graph.trigger}\0{graph.strain!r}\0".encode())
        structure = graph.structure
        for array in (graph.features, graph.d2min, structure.positions, structure.cells):
            digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        for whole in (graph.edges, structure.species):
            digest.update(np.ascontiguousarray(whole, dtype=np.int64).tobytes())
    return digest.hexdigest()


def _each_once(objects: Sequence[Shared]) -> tuple[list[Shared], list[int]]:
    """The different objects, and the place of each among them; they are told apart by identity."""
    places: dict[int, int] = {}
    numbers = [places.setdefault(id(one), len(places)) for one in objects]
    different: dict[int, Shared] = {}
    for number, one in zip(numbers, objects, strict=True):
        different.setdefault(number, one)
    return [different[number] for number in range(len(different))], numbers
