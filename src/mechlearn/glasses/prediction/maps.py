"""Maps of where a glass yields, atom by atom: files that OVITO opens in colour, and that any reader of XYZ reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.glasses.prediction.event_data import EventData, EventGraph
from mechlearn.records import write_atomically

#: Lightness, chroma and hue (degrees) of the last atom and of the foremost one, in Oklab: from pale yellow to dark red.
_LAST, _FOREMOST = np.array([0.95, 0.04, 100.0]), np.array([0.45, 0.17, 26.0])

#: From Oklab to the cube roots of the cones' responses, and from those responses to linear sRGB.
#: B. Ottosson, "A perceptual color space for image processing" (2020).
_TO_ROOTS: Final = np.array(
    [[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728], [1.0, -0.0894841775, -1.2914855480]]
)
_TO_LINEAR: Final = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)

_COLUMNS: Final = "species:S:1:pos:R:3:confidence:R:1:d2min:R:1:positive:I:1:trigger:I:1:color:R:3"


def rank_colours(confidences: Float[np.ndarray, " atoms"]) -> Float[np.ndarray, "atoms 3"]:
    """A colour an atom by the rank of its confidence: dark red the foremost, pale yellow the last.

    Along the scale goes 1 − ln r / ln n, r being the rank from the top of n atoms: every decade of rank is the same
    step, so that the foremost few stand out of any number.  Atoms that tie share their mean rank.  Lightness falls
    evenly (in Oklab), so that the scale also reads in grey and with any colour vision.

    Returns
    -------
    (atoms, 3)
        Red, green and blue (sRGB), 0 to 1.

    Examples
    --------
    >>> rank_colours(np.array([0.1, 0.9, 0.2])).round(2).tolist()
    [[0.96, 0.94, 0.82], [0.62, 0.08, 0.11], [0.84, 0.67, 0.45]]
    """
    from scipy.stats import rankdata

    ranks = rankdata(-confidences)
    along = 1.0 - np.log(ranks) / np.log(max(2, len(ranks)))
    lightness, chroma, hue = (_LAST + along[:, None] * (_FOREMOST - _LAST)).T
    angle = np.deg2rad(hue)
    roots = np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1) @ _TO_ROOTS.T
    linear = np.clip(roots**3 @ _TO_LINEAR.T, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1.0 / 2.4) - 0.055)


def confidence_map(
    graph: EventGraph, confidences: Float[np.ndarray, " atoms"], threshold: float, model: str = ""
) -> str:
    """What a model says of one run, as a frame of extended XYZ.

    Columns: species, position, confidence, D²min, whether it took part (1) or not (0), whether it was the trigger, and
    the colour that :func:`rank_colours` gives.  The second line names specimen and sense, the strain of the event
    where one came, the threshold, and the model.  Every number reads back as the same one.

    Parameters
    ----------
    graph
        The run.
    confidences
        Of its atoms.
    threshold
        Of D²min, Å²: an atom above it took part.
    model
        What the model is called.

    Raises
    ------
    InputError
        There is not one confidence an atom, or one is not a number.
    """
    from ase.data import chemical_symbols
    from ase.io.extxyz import key_val_dict_to_str

    structure = graph.structure
    if confidences.shape != (structure.atoms,) or not np.isfinite(confidences).all():
        raise InputError(
            f"mapping {graph.name}: {len(confidences)} confidences for {structure.atoms} atoms, or some are not "
            "numbers; give one number an atom"
        )
    facts: dict[str, Any] = {"specimen": graph.specimen, "sense": graph.sense, "threshold": threshold}
    facts |= {"strain": graph.strain} if np.isfinite(graph.strain) else {}
    facts |= {"model": model} if model else {}
    flags = np.stack([graph.positive(threshold), np.arange(structure.atoms) == graph.trigger], axis=1).astype(int)
    rows = zip(
        structure.species.tolist(),
        np.column_stack([structure.positions, confidences, graph.d2min]).tolist(),
        flags.tolist(),
        rank_colours(confidences).round(4).tolist(),
        strict=True,
    )
    lines = (
        " ".join([chemical_symbols[species], *map(repr, numbers), *map(str, flag), *map(repr, colours)])
        for species, numbers, flag, colours in rows
    )
    lattice = " ".join(map(repr, structure.cells[0].ravel().tolist()))
    periodic = " ".join("FT"[int(flag)] for flag in structure.periodic[0])
    head = f'Lattice="{lattice}" Properties={_COLUMNS} pbc="{periodic}" {key_val_dict_to_str(facts)}'
    return "\n".join([str(structure.atoms), head, *lines]) + "\n"


def write_maps(
    data: EventData,
    confidences: Float[np.ndarray, " atoms"],
    threshold: float,
    folder: str | Path,
    model: str = "",
) -> Sequence[Path]:
    """Write one map a run, ``specimen-0003_1f3a9c20_-xy.xyz``, each whole or not at all.

    OVITO colours the atoms by itself, since there is a column ``color``.

    Parameters
    ----------
    data
        The runs.
    confidences
        Of all atoms, run after run.
    threshold
        Of D²min, Å²: an atom above it took part.
    folder
        Made where it is missing; maps of the same runs there are replaced.
    model
        What the model is called.

    Returns
    -------
    sequence of Path
        The files, in the order of the runs.

    Raises
    ------
    InputError
        There is not one confidence an atom, one is not a number, or two runs have one name.
    WorkError
        A file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from ase.build import bulk
    >>> from mechlearn.glasses.description.feature_table import Feature
    >>> from mechlearn.structures import StructureBatch
    >>> atoms = StructureBatch.from_atoms([bulk("Cu", cubic=True)])
    >>> feature = Feature("energy", "E", "eV", "EAM")
    >>> edges = np.array([[0, 1], [1, 0]])
    >>> graph = EventGraph("glass@0", "xy", atoms, np.zeros((4, 1)), edges, np.arange(4.0), 3, 0.01)
    >>> paths = write_maps(EventData((feature,), [graph]), np.array([0.1, 0.2, 0.3, 0.9]), 1.5, tempfile.mkdtemp())
    >>> paths[0].name, paths[0].read_text().splitlines()[5]
    ('glass_0_xy.xyz', 'Cu 1.805 1.805 0.0 0.9 3.0 1 1 0.6207 0.0825 0.1059')
    """
    if len(confidences) != data.offsets[-1]:
        raise InputError(
            f"mapping {len(data)} runs: {len(confidences)} confidences for {data.offsets[-1]} atoms; give one an atom"
        )
    # A name may hold what a path may not, and ASE takes what follows an @ for the number of a frame.
    names = [re.sub(r"[^\w.+-]", "_", graph.name) + ".xyz" for graph in data.graphs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"mapping {len(data)} runs: two of them would be written to {twice}; give each run once")
    paths = []
    for name, graph, start in zip(names, data.graphs, data.offsets[:-1], strict=True):
        own = confidences[start : start + graph.structure.atoms]
        text = confidence_map(graph, own, threshold, model)
        paths.append(write_atomically(Path(folder) / name, text.encode()))
    return tuple(paths)
