"""Maps read back in ASE as they were written, and their colours put the foremost atoms in front."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mechlearn.errors import InputError
from mechlearn.glasses.description.feature_table import Feature
from mechlearn.glasses.prediction.event_data import EventData, EventGraph
from mechlearn.glasses.prediction.maps import confidence_map, rank_colours, write_maps
from mechlearn.structures import StructureBatch
from mechlearn.structures.xyz import check_xyz


def run(specimen="glass 3@1f3a9c20", sense="-xy", trigger=4, strain=0.0123):
    rng = np.random.default_rng(5)
    atoms = bulk("Cu", "fcc", a=4.0, cubic=True) * (3, 2, 2)
    atoms.symbols[rng.random(len(atoms)) < 0.4] = "Zr"
    atoms.cell = atoms.cell.array @ (np.eye(3) + rng.uniform(-0.1, 0.1, (3, 3)))
    atoms.positions += rng.normal(size=(48, 3))
    d2min = rng.lognormal(-4.0, 3.0, 48)
    structure = StructureBatch.from_atoms([atoms])
    edges = np.zeros((2, 0), dtype=np.int64)
    return EventGraph(specimen, sense, structure, np.zeros((48, 1)), edges, d2min, trigger, strain)


def lightness(colours):
    """CIE L* of sRGB."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)


def test_ase_reads_back_every_column_to_the_last_digit(tmp_path):
    graphs = [run(), run(sense="yz", trigger=-1, strain=np.nan)]
    data = EventData((Feature("nothing", "0", "1", "here"),), graphs)
    confidences = np.random.default_rng(1).random(96) ** 20
    paths = write_maps(data, confidences, 0.1, tmp_path / "maps", "graph attention 4 × 15 × 9, weights")
    assert [path.name for path in paths] == ["glass_3_1f3a9c20_-xy.xyz", "glass_3_1f3a9c20_yz.xyz"]
    for path, graph, said in zip(paths, graphs, np.split(confidences, 2), strict=True):
        check_xyz(path)
        atoms = read(path)
        np.testing.assert_array_equal(atoms.numbers, graph.structure.species)
        np.testing.assert_array_equal(atoms.positions, graph.structure.positions)
        np.testing.assert_array_equal(atoms.cell.array, graph.structure.cells[0])
        np.testing.assert_array_equal(atoms.arrays["confidence"], said)
        np.testing.assert_array_equal(atoms.arrays["d2min"], graph.d2min)
        np.testing.assert_array_equal(atoms.arrays["positive"], (graph.d2min > 0.1).astype(int))
        np.testing.assert_array_equal(np.flatnonzero(atoms.arrays["trigger"]), [4] if graph.trigger == 4 else [])
        np.testing.assert_allclose(atoms.arrays["color"], rank_colours(said), atol=1e-4)
        assert atoms.pbc.all()
        assert atoms.info["specimen"] == "glass 3@1f3a9c20"
        assert atoms.info["sense"] == graph.sense
        assert atoms.info["model"] == "graph attention 4 × 15 × 9, weights"
        assert atoms.info.get("strain") == (0.0123 if graph.trigger == 4 else None)


@given(arrays(float, st.integers(2, 300), elements=st.floats(0, 1)))
def test_surer_is_darker_and_every_colour_can_be_shown(confidences):
    colours = rank_colours(confidences)
    assert ((colours >= 0) & (colours <= 1)).all()
    seen = lightness(colours)[np.argsort(confidences, kind="stable")]
    assert (np.diff(seen) <= 1e-9).all()
    # Ranks count, not numbers: any model that ranks alike gives the same map.
    np.testing.assert_array_equal(colours, rank_colours(np.unique(confidences, return_inverse=True)[1].astype(float)))


def test_every_decade_of_rank_is_one_step_of_lightness():
    seen = lightness(rank_colours(-np.arange(10_000.0)))
    steps = np.diff(seen[[0, 9, 99, 999, 9999]])
    assert steps.min() > 8
    assert steps.max() < 1.3 * steps.min()


def test_what_cannot_be_mapped_is_refused(tmp_path):
    data = EventData((Feature("nothing", "0", "1", "here"),), [run(), run()])
    with pytest.raises(InputError, match="95 confidences for 96 atoms"):
        write_maps(data, np.zeros(95), 0.1, tmp_path)
    with pytest.raises(InputError, match="two of them would be written to"):
        write_maps(data, np.zeros(96), 0.1, tmp_path)
    with pytest.raises(InputError, match="not numbers"):
        confidence_map(run(), np.full(48, np.nan), 0.1)
    assert not list(tmp_path.iterdir())
