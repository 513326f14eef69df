"""Shearing sets of glasses: runs as `shear` gives them, the same bytes after a kill and for any number of workers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from glassy_cells import random_structure
from mechlearn.engines import potential_file
from mechlearn.errors import InputError, WorkError
from mechlearn.glasses.loading import shear_campaign, shear_legs
from mechlearn.glasses.loading.quasistatic_shear import SENSES, ShearSettings, shear
from mechlearn.glasses.loading.shear_campaign import ShearTask, shear_glasses, shear_one
from mechlearn.glasses.loading.shear_runs import ShearRuns, read_run, specimen_key
from mechlearn.glasses.named_potentials import glass_potential, shear_settings_for
from mechlearn.glasses.rest.minimisation import MinimisationSettings, minimise
from mechlearn.interactions import Evaluation, read_eam
from mechlearn.structures import StructureBatch, StructureSet

FILE = "CuZr_mm.eam.fs"
POTENTIAL = read_eam(FILE)
SETTINGS = ShearSettings(step=1e-3, final_strain=0.015)
#: A shear with a tension: a sense of one's own.
TWO_SENSES = {"-xz": SENSES["-xz"], "pulled": np.array([[0.4, 1.0, 0.0], [0.0, -0.2, 0.0], [0.0, 0.0, -0.2]])}


@pytest.fixture(scope="module")
def glasses() -> StructureBatch:
    """60 atoms each, of which the second is not at rest: as a file of one's own may be."""
    first, second = (random_structure(("Cu", "Zr"), 60, 16.5, np.random.default_rng(seed), skew=0.0) for seed in (6, 7))
    return StructureBatch.concatenate(
        [
            replace(minimise(POTENTIAL, first).point.structure, names=("specimen-0000",)),
            replace(second, names=("from a/file.xyz",)),
        ]
    )


@pytest.fixture(scope="module")
def runs(glasses: StructureBatch, tmp_path_factory: pytest.TempPathFactory) -> ShearRuns:
    out = tmp_path_factory.mktemp("runs")
    return shear_glasses(glasses, FILE, out, senses=TWO_SENSES, settings=SETTINGS)


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def test_runs_are_what_shear_gives(glasses: StructureBatch, runs: ShearRuns) -> None:
    ended = []
    for run, (index, sense) in zip(runs, [(0, "-xz"), (0, "pulled"), (1, "-xz"), (1, "pulled")], strict=True):
        rest = minimise(POTENTIAL, glasses.select([index]), SETTINGS.minimisation).point.structure
        path = shear(POTENTIAL, rest, TWO_SENSES[sense], SETTINGS)
        assert run.name == f"{specimen_key(glasses.select([index]))}_{sense}"
        np.testing.assert_array_equal(run.structure.positions, rest.positions)
        np.testing.assert_array_equal(run.gradient, TWO_SENSES[sense])
        np.testing.assert_array_equal(run.strains, path.strains)
        np.testing.assert_array_equal(run.loading_stresses, path.loading_stresses)
        np.testing.assert_array_equal(run.energies, [step.energy for step in path.steps])
        assert run.largest_force == max(step.largest_force for step in path.steps) <= 1e-6
        assert run.force_evaluations >= path.effort.evaluations
        ended.append(run.ended)
        if path.ended == "final strain":
            assert (run.ended, run.trigger, bool(run.d2min.any())) == (path.ended, -1, False)
            continue
        event = path.events[-1]
        assert (run.ended, run.trigger) == ("event", event.trigger)
        assert (run.strain, run.resolution) == (event.strain, event.resolution)
        assert (run.stress_drop, run.energy_drop) == (event.stress_drop, event.energy_drop)
        np.testing.assert_array_equal(run.d2min, event.d2min)
        # Modes by LAPACK: the last digits depend on its threads.
        np.testing.assert_allclose(run.mode_weights, event.mode.weights, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(run.group(), event.group(SETTINGS.threshold))
    assert set(ended) == {"event", "final strain"}


def test_a_glass_from_a_file_comes_to_rest_first(glasses: StructureBatch, runs: ShearRuns) -> None:
    given = glasses.select([1])
    run = next(run for run in runs if run.specimen == specimen_key(given))
    assert run.specimen.startswith("from-a-file.xyz-")
    assert np.abs(POTENTIAL.at(given).forces).max() > 0.1
    assert np.abs(POTENTIAL.at(run.structure).forces).max() <= 1e-6
    assert run.strains[0] == 0.0
    assert run.energies[0] == pytest.approx(POTENTIAL.at(run.structure).energy, abs=1e-9)


class Killed(BaseException):
    """As a signal comes: nothing catches it."""


@pytest.mark.parametrize("legs", [1, 3])
def test_a_killed_run_ends_in_the_same_bytes(
    glasses: StructureBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, legs: int
) -> None:
    settings = replace(SETTINGS, stop_at_event=False, final_strain=0.012)
    gradient = TWO_SENSES["-xz"]
    tasks = []
    for name in ("undisturbed", "killed", "one-leg"):
        (tmp_path / name).mkdir()
        steps = 50 if name == "one-leg" else 3
        out = str(tmp_path / name)
        tasks.append(ShearTask(glasses.select([0]), "glass", "-xz", gradient, FILE, ("Cu", "Zr"), settings, out, steps))
    undisturbed, killed, one_leg = tasks
    shear_one(undisturbed)
    calls = 0

    def mortal(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls > legs:
            raise Killed
        return shear(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(shear_legs, "shear", mortal)
        with pytest.raises(Killed):
            shear_one(killed)
        assert [path.name for path in Path(killed.out).iterdir()] == ["glass_-xz.part"]
        # The next call takes up where this one was: so many legs are not sheared again.
        calls, legs = 0, 4 - legs
        shear_one(killed)
        assert calls == legs
    assert contents(Path(killed.out)) == contents(Path(undisturbed.out))
    assert list(contents(Path(killed.out))) == ["glass_-xz.parquet"]
    # The whole curve: its first event, and on from there; legs change no more than rounding.
    shear_one(one_leg)
    whole, cut = (read_run(Path(task.out) / "glass_-xz.parquet") for task in (one_leg, killed))
    assert (whole.ended, whole.trigger) == ("final strain", cut.trigger)
    assert whole.strain == pytest.approx(cut.strain, abs=2e-5)
    assert whole.strain < 0.012
    np.testing.assert_allclose(whole.loading_stresses, cut.loading_stresses, atol=1e-6)


def test_a_stored_state_that_is_spoilt_is_named(glasses: StructureBatch, tmp_path: Path) -> None:
    task = ShearTask(glasses.select([0]), "glass", "-xz", SENSES["-xz"], FILE, ("Cu", "Zr"), SETTINGS, str(tmp_path), 3)
    (tmp_path / "glass_-xz.part").write_bytes(b"spoilt")
    with pytest.raises(InputError, match=r"glass_-xz\.part is cut short .* or remove it, and this run begins anew"):
        shear_one(task)


def test_same_bytes_with_two_workers(glasses: StructureBatch, runs: ShearRuns, tmp_path: Path) -> None:
    """And from a set on disk, the glasses one after the other, as from a batch in memory."""
    stored = StructureSet.create(tmp_path / "set")
    for index in range(2):
        stored.append(glasses.select([index]))
    again = tmp_path / "again"
    shear_glasses(glasses.select([0]), potential_file(FILE), again, senses=TWO_SENSES, settings=SETTINGS)
    before = (again / f"{runs.names[0]}.parquet").stat().st_mtime_ns
    both = shear_glasses(stored, FILE, again, senses=TWO_SENSES, settings=SETTINGS, workers=2)
    assert both.names == runs.names
    assert contents(again) == contents(runs.path)
    assert (again / f"{runs.names[0]}.parquet").stat().st_mtime_ns == before


def test_what_does_not_come_to_rest_is_kept_and_said(glasses: StructureBatch, tmp_path: Path) -> None:
    minimisation = MinimisationSettings(largest_force=1e-9, evaluations=3)
    impatient = replace(SETTINGS, resolution=SETTINGS.step, minimisation=minimisation)
    runs = shear_glasses(glasses, FILE, tmp_path, senses={"xy": SENSES["xy"]}, settings=impatient)
    for run, facts in zip(runs, runs.facts(), strict=True):
        assert (run.ended, facts["ended"]) == ("not at rest", "not at rest")
        assert facts["largest_force"] == run.largest_force > 1e-9
        assert (facts["trigger"], facts["strain"], bool(run.d2min.any())) == (-1, None, False)
        assert np.isnan(run.strain)
    # The first glass was at rest to begin with; the other never was.
    assert (runs[0].began_at_rest, runs[1].began_at_rest) == (True, False)
    assert len(runs[0].strains) > 1
    assert runs[1].largest_force > 1e-3


def test_files_that_any_tool_opens(runs: ShearRuns) -> None:
    assert ShearRuns.open(runs.path).names == tuple(sorted(runs.names))
    assert runs.of_specimens() == {runs[0].specimen: runs.names[:2], runs[2].specimen: runs.names[2:]}
    run, table = runs[0], pq.read_table(runs.file(runs.names[0]))
    assert table.column_names == ["element", "x", "y", "z", "d2min", "mode_weight"]
    assert set(table["element"].to_pylist()) == {"Cu", "Zr"}
    np.testing.assert_array_equal(table["d2min"].to_numpy(), run.d2min)
    assert runs.facts()[0] == run.facts
    assert run.mode_weights.sum() == pytest.approx(1.0)
    assert run.structure.names == ("specimen-0000",)


def test_spoilt_files_are_named(runs: ShearRuns, tmp_path: Path) -> None:
    whole = runs.file(runs.names[0]).read_bytes()
    spoilt = tmp_path / "run.parquet"
    with pytest.raises(InputError, match=r"run\.parquet: there is no such file"):
        read_run(spoilt)
    middle = len(whole) // 4
    for content in (
        b"",
        whole[: len(whole) // 2],
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        whole.replace(b"final_strain", b"other_strain").replace(b'\\"atoms\\": 60', b'\\"atoms\\": 61'),
    ):
        spoilt.write_bytes(content)
        with pytest.raises(InputError, match=r"run\.parquet: truncated, altered or not Parquet"):
            read_run(spoilt)
    StructureSet.create(tmp_path / "set").append(runs[0].structure)
    with pytest.raises(InputError, match="another kind"):
        read_run(tmp_path / "set" / "part-000000.parquet")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="holds none"):
        ShearRuns.open(tmp_path / "nothing")
    with pytest.raises(InputError, match="no such folder"):
        ShearRuns.open(tmp_path / "nowhere")


def test_a_glass_keeps_its_key(glasses: StructureBatch) -> None:
    glass = glasses.select([0])
    elsewhere = replace(glass.without_labels(), groups=("another",), origins=("elsewhere",))
    assert specimen_key(elsewhere) == specimen_key(glass)
    moved = replace(glass, positions=glass.positions + 1e-12)
    keys = {specimen_key(each) for each in (glass, moved, replace(glass, cells=1.01 * glass.cells))}
    assert len(keys) == 3
    assert {key.rpartition("-")[0] for key in keys} == {"specimen-0000"}


def test_one_failure_does_not_stop_the_others(
    glasses: StructureBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(task: ShearTask) -> object:
        if task.sense == "-xz":
            raise WorkError("the iteration does not converge")
        return shear_one(task)

    monkeypatch.setattr(shear_campaign, "shear_one", failing)
    quick = replace(SETTINGS, final_strain=1e-3)
    with pytest.raises(WorkError, match=r"1 of 2 failed.*specimen-0000-\w+_-xz: the iteration does not converge"):
        shear_glasses(glasses.select([0]), FILE, tmp_path, senses=TWO_SENSES, settings=quick)
    assert [run.sense for run in ShearRuns.open(tmp_path)] == ["pulled"]


def test_what_makes_no_sense_is_refused(glasses: StructureBatch, runs: ShearRuns, tmp_path: Path) -> None:
    glass = glasses.select([0])
    with pytest.raises(InputError, match=r"settings\.step is 0\.001 there and 0\.002 here"):
        shear_glasses(glass, FILE, runs.path, senses=TWO_SENSES, settings=replace(SETTINGS, step=2e-3))
    out = tmp_path / "new"
    with pytest.raises(InputError, match="is there twice"):
        shear_glasses(StructureBatch.concatenate([glass, glass]), FILE, out)
    with pytest.raises(InputError, match="a sense is called 'x/y'"):
        shear_glasses(glass, FILE, out, senses={"x/y": SENSES["xy"]})
    with pytest.raises(InputError, match="the velocity gradient of xy"):
        shear_glasses(glass, FILE, out, senses={"xy": np.zeros((3, 3))})
    with pytest.raises(InputError, match=r"knows Ni, P \(its particles A and B\), not Cu, Zr"):
        shear_glasses(glass, "kob-andersen", out)
    with pytest.raises(InputError, match=r"did you mean 'CuZr_mm\.eam\.fs'"):
        shear_glasses(glass, "CuZr_m.eam.fs", out)
    with pytest.raises(InputError, match="is a folder"):
        glass_potential(str(tmp_path), ("Cu",))
    assert not out.exists()


@dataclass(frozen=True)
class OfTheSameName:
    """Another potential, such as the same one fitted anew."""

    name: str = POTENTIAL.name
    elements: tuple[str, ...] = POTENTIAL.elements

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        found = POTENTIAL.evaluate(batch)
        return replace(found, energies=1.001 * found.energies, forces=1.001 * found.forces)


def test_a_potential_itself_in_place_of_its_name(glasses: StructureBatch, tmp_path: Path) -> None:
    """The same run; the folder knows another one of that name."""
    quick = replace(SETTINGS, final_strain=1e-3)
    senses = {"xy": SENSES["xy"]}
    named, given = (
        shear_glasses(glasses.select([0]), potential, tmp_path / name, senses=senses, settings=quick)
        for name, potential in (("named", FILE), ("given", POTENTIAL))
    )
    assert named.file(named.names[0]).read_bytes() == given.file(given.names[0]).read_bytes()
    with pytest.raises(InputError, match=r"potential\.energy is .* there and .* here"):
        shear_glasses(glasses.select([0]), OfTheSameName(), given.path, senses=senses, settings=quick)


def test_lengths_of_the_kob_andersen_mixture_are_its_own() -> None:
    metal, mixture = shear_settings_for(FILE), shear_settings_for("kob-andersen", step=1e-3)
    assert mixture.step == 1e-3
    assert mixture.cutoff < 2.0 < metal.cutoff
    assert mixture.minimisation.longest_step < metal.minimisation.longest_step
    assert metal == ShearSettings()
