"""Features of whole sets of runs: as computed directly, loaded beside the events, and refused for other runs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from glass_specimens import copper_zirconium, metallic_specimen, model_glass, model_specimen
from mechlearn.descriptors.symmetry_functions import SymmetryFunctions
from mechlearn.errors import InputError
from mechlearn.glasses.description.feature_campaign import (
    INTERSTICE_FEATURES,
    MECHANISM_FEATURES,
    PAPER_FEATURES,
    FeatureFolder,
    feature_runs,
)
from mechlearn.glasses.description.feature_folder import paper_features
from mechlearn.glasses.description.features import FeatureSettings, atomic_properties, node_features
from mechlearn.glasses.description.interstices import interstice_features
from mechlearn.glasses.description.mechanism import mechanism_features
from mechlearn.glasses.description.modes import lowest_modes
from mechlearn.glasses.description.nonlinear_modes import plastic_modes
from mechlearn.glasses.description.voronoi import voronoi_cells
from mechlearn.glasses.loading.quasistatic_shear import SENSES, ShearSettings
from mechlearn.glasses.loading.shear_campaign import shear_glasses
from mechlearn.glasses.loading.shear_runs import ShearRuns
from mechlearn.glasses.rest.minimisation import MinimisationSettings
from mechlearn.interactions import Evaluation
from mechlearn.structures import StructureBatch

FILE = "CuZr_mm.eam.fs"
MODES = 4
TWO_SENSES = {sense: SENSES[sense] for sense in ("xy", "-xy")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> ShearRuns:
    """Two glasses in two senses, of which one comes to an event."""
    glasses = StructureBatch.concatenate([metallic_specimen(seed, 2) for seed in (4, 1)])
    out = tmp_path_factory.mktemp("runs")
    return shear_glasses(glasses, FILE, out, senses=TWO_SENSES, settings=ShearSettings(step=2e-3, final_strain=1e-2))


@pytest.fixture(scope="module")
def folder(runs: ShearRuns, tmp_path_factory: pytest.TempPathFactory) -> FeatureFolder:
    return feature_runs(runs, FILE, tmp_path_factory.mktemp("features"), modes=MODES)


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def test_features_are_those_computed_directly(runs: ShearRuns, folder: FeatureFolder) -> None:
    data = FeatureFolder.open(folder.path).load(runs)
    assert data.names == PAPER_FEATURES + MECHANISM_FEATURES
    assert len(PAPER_FEATURES) == 19
    assert data.specimens == tuple(runs.of_specimens())
    for run, graph in zip(runs, data.graphs, strict=True):
        point = copper_zirconium().at(run.structure)
        direct = node_features(atomic_properties(point), run.gradient)
        np.testing.assert_allclose(graph.features[:, :19], direct.values, rtol=1e-9, atol=1e-12)
        mechanism = mechanism_features(
            copper_zirconium(),
            point,
            run.gradient,
            modes=lowest_modes(point, MODES),
            plastic=plastic_modes(copper_zirconium(), point),
        )
        np.testing.assert_allclose(graph.features[:, 19:], mechanism.values, rtol=1e-9, atol=1e-12)
        assert data.features == direct.features + mechanism.features
        np.testing.assert_array_equal(graph.edges, voronoi_cells(run.structure).edges)
        np.testing.assert_array_equal(graph.d2min, run.d2min)
        assert (graph.specimen, graph.sense, graph.trigger) == (run.specimen, run.sense, run.trigger)
        np.testing.assert_equal(graph.strain, run.strain)
    events = [graph.name for graph in data.with_events().graphs]
    assert events == [run.name for run in runs if run.ended == "event"]
    assert 0 < len(events) < len(runs)


def test_goes_on_where_it_stopped(runs: ShearRuns, folder: FeatureFolder, tmp_path: Path) -> None:
    """A part of the runs first, then all of them by two workers: the same bytes."""
    partly = feature_runs(runs[1:2], FILE, tmp_path, modes=MODES)
    first = partly.file(runs.names[1])
    before = first.stat().st_mtime_ns
    again = feature_runs(runs, FILE, tmp_path, modes=MODES, workers=2)
    assert contents(again.path) == contents(folder.path)
    assert first.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"mechanism\.modes is 4 there and 5 here"):
        feature_runs(runs, FILE, tmp_path, modes=5)


def test_other_runs_and_spoilt_files_are_refused(runs: ShearRuns, folder: FeatureFolder, tmp_path: Path) -> None:
    settings = ShearSettings(step=1e-3, final_strain=1e-3)
    senses = {"xy": SENSES["yz"]}
    other = shear_glasses(metallic_specimen(2, 2), FILE, tmp_path / "other", senses=senses, settings=settings)
    with pytest.raises(InputError, match=r"there are none of glass-.*, but those of glass-.* and of 1 others"):
        folder.load(other)
    renamed = shear_glasses(metallic_specimen(4, 2), FILE, tmp_path / "renamed", senses=senses, settings=settings)
    with pytest.raises(InputError, match="another glass or another loading of that name"):
        folder.load(renamed)
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    for name, content in contents(folder.path).items():
        (spoilt / name).write_bytes(content)
    file = spoilt / f"{runs.names[0]}.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"_xy\.parquet: truncated, altered or not Parquet"):
        FeatureFolder.open(spoilt).load(runs)
    file.unlink()
    with pytest.raises(InputError, match=r"_xy\.parquet: there is no such file"):
        FeatureFolder.open(spoilt).load(runs)
    with pytest.raises(InputError, match="holds none"):
        FeatureFolder.open(tmp_path / "other")
    with pytest.raises(InputError, match="no such folder"):
        FeatureFolder.open(tmp_path / "nowhere")


def test_a_glass_that_never_came_to_rest_is_left_out_and_said(tmp_path: Path) -> None:
    impatient = ShearSettings(
        step=1e-3, final_strain=1e-3, minimisation=MinimisationSettings(largest_force=1e-6, evaluations=2)
    )
    senses = {"xy": SENSES["xy"]}
    rest = metallic_specimen(0, 2)
    restless = replace(rest, positions=rest.positions + np.random.default_rng(0).normal(0.0, 0.1, rest.positions.shape))
    both = StructureBatch.concatenate([rest, restless])
    runs = shear_glasses(both, FILE, tmp_path / "runs", senses=senses, settings=impatient)
    assert [run.began_at_rest for run in runs] == [True, False]
    folder = feature_runs(runs, FILE, tmp_path / "features", mechanism=False)
    with pytest.warns(UserWarning, match=f"1 runs are left out.*{runs.names[1]}"):
        data = folder.load(runs)
    assert data.specimens == (runs[0].specimen,)
    assert data.names == PAPER_FEATURES
    with pytest.raises(InputError, match="no run whose glass came to rest"):
        feature_runs(runs[1:], FILE, tmp_path / "none")


@dataclass(frozen=True)
class ForcesOnly:
    """A potential as a network may be: energies, forces and stresses."""

    elements: tuple[str, ...] = ("Cu", "Zr")

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        return copper_zirconium().evaluate(batch)


def test_a_potential_with_forces_alone(runs: ShearRuns, folder: FeatureFolder, tmp_path: Path) -> None:
    """No local modulus; all others as with second derivatives, but for softening, in which the jumps of tables show."""
    one = runs[:1]
    with pytest.warns(UserWarning, match="ForcesOnly gives no stress and stiffness of single atoms") as told:
        alone = feature_runs(one, ForcesOnly(), tmp_path, modes=MODES)
    assert len(told) == 1
    found = alone.load(one)
    assert found.names == tuple(name for name in MECHANISM_FEATURES if name != "local shear modulus")
    smooth = [name for name in found.names if "softening" not in name]
    expected = folder.load(one).with_features(smooth)
    scale = expected.values.std(axis=0) + np.finfo(float).tiny
    np.testing.assert_allclose(found.with_features(smooth).values / scale, expected.values / scale, atol=0.02)
    np.testing.assert_array_equal(found.graphs[0].edges, expected.graphs[0].edges)
    with pytest.raises(InputError, match="ask for the features of the mechanism"):
        feature_runs(one, ForcesOnly(), tmp_path / "none", mechanism=False)


def test_structural_features_beside_the_others(runs: ShearRuns, folder: FeatureFolder, tmp_path: Path) -> None:
    both = ("interstices", "symmetry functions")
    data = feature_runs(runs[:1], FILE, tmp_path, mechanism=False, structural=both).load(runs[:1])
    assert data.names[:34] == PAPER_FEATURES + INTERSTICE_FEATURES
    cells = voronoi_cells(runs[0].structure)
    direct = interstice_features(runs[0].structure, cells=cells)
    np.testing.assert_array_equal(data.with_features(INTERSTICE_FEATURES).values, direct.values)
    # Shells reach as far as atoms have neighbours: twice the mean of the radii, not a number of this one glass.
    functions = SymmetryFunctions.for_glass(("Cu", "Zr"), 2.87)
    assert data.names[34:] == functions.names
    np.testing.assert_allclose(data.values[:, 34:], functions.compute(runs[0].structure), rtol=1e-12)
    assert np.isfinite(data.values).all()
    with pytest.raises(InputError, match="there are no 'softness' of a structure; give interstices or"):
        feature_runs(runs, FILE, tmp_path / "none", structural=("softness",))


def test_the_kob_andersen_mixture_has_masses_and_lengths_of_its_own(tmp_path: Path) -> None:
    settings = ShearSettings(step=1e-4, final_strain=1e-4)
    runs = shear_glasses(model_specimen(0, 3), "kob-andersen", tmp_path / "runs", senses=TWO_SENSES, settings=settings)
    with warnings.catch_warnings(action="error"):
        data = feature_runs(runs, "kob-andersen", tmp_path / "features", modes=MODES).load(runs)
    assert data.names == paper_features(("Ni", "P")) + MECHANISM_FEATURES
    point = model_glass().at(runs[0].structure)
    own = FeatureSettings(centre=None, masses={"Ni": 1.0, "P": 1.0})
    direct = node_features(atomic_properties(point, ("Ni", "P"), own), runs[0].gradient)
    np.testing.assert_allclose(data.graphs[0].features[:, :19], direct.values, rtol=1e-9, atol=1e-12)
    participations = lowest_modes(point, round(0.01 * 3 * runs[0].structure.atoms)).participations
    np.testing.assert_allclose(direct.column("participation fraction"), participations, atol=1e-9)
