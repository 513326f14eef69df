"""Labels come from the potential that was named, or the message says which name was meant."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mechlearn.engines import executor, potential_file
from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import AsePotential, LammpsPotential, Potential, Zbl, label, labeller
from mechlearn.structures import StructureBatch


@pytest.fixture(scope="module")
def calculators() -> Iterator[ModuleType]:
    """The calculators as a module that can be named."""
    import importlib

    folder = str(Path(__file__).parent)
    sys.path.insert(0, folder)
    yield importlib.import_module("ase_calculators")
    sys.path.remove(folder)


def coppers(count: int = 5) -> StructureBatch:
    images = []
    for seed in range(count):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.1, seed=seed)
        images.append(atoms)
    return StructureBatch.from_atoms(images, group="bulk")


@pytest.mark.parametrize(
    ("name", "elements", "file"),
    [
        ("eam", ("W",), "W_zhou.eam.alloy"),
        ("eam", ("Cu",), "Cu_zhou.eam.alloy"),
        ("eam", ("Cu", "Zr"), "CuZr_mm.eam.fs"),
        ("eam", ("Zr", "Cu"), "CuZr_mm.eam.fs"),
        ("eam", ("Ag",), "Ag_u3.eam"),
        ("snap", ("W",), "W_2940_2017_2.snap"),
        ("snap", ("Be", "W"), "WBe_Wood_PRB2019.snap"),
        ("snap", ("Cu",), "Cu_Zuo_JPCA2020.snap"),
        ("W_zhou.eam.alloy", ("W",), "W_zhou.eam.alloy"),
    ],
)
def test_names_lead_to_files(name: str, elements: tuple[str, ...], file: str) -> None:
    potential = labeller(name, elements)
    assert isinstance(potential, LammpsPotential)
    assert potential.name == file
    assert set(elements) <= set(potential.elements)
    images = [bulk(element, "fcc", a=4.0) for element in elements]
    assert np.isfinite(potential.evaluate(StructureBatch.from_atoms(images)).energies).all()


def test_tungsten_is_the_default() -> None:
    assert labeller("eam") == labeller("eam", ["W"])


def test_a_path_leads_to_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.eam.alloy"
    path.write_text(potential_file("W_zhou.eam.alloy").read_text())
    batch = StructureBatch.from_atoms([bulk("W", a=3.2)])
    assert np.array_equal(labeller(path).evaluate(batch).energies, labeller("eam").evaluate(batch).energies)


@pytest.mark.parametrize(
    ("name", "elements", "message"),
    [
        (
            "emm",
            ("W",),
            r"there is none named 'emm'; did you mean 'eam'\? give one of eam, snap, gpaw, the path",
        ),
        ("W_zhuo.eam.alloy", ("W",), r"did you mean 'W_zhou.eam.alloy'\?"),
        ("qqqqqqqq", ("W",), "there is none named 'qqqqqqqq'; give one of"),
        ("eam", ("W", "Cu"), "no EAM file that comes with LAMMPS knows W and Cu"),
        ("snap", ("He",), "no SNAP file that comes with LAMMPS knows He"),
        ("W_zhou.eam.alloy", ("Cu",), "it knows W, not Cu"),
        ("no.such.module:thing", ("W",), "No module named 'no'; give 'module:callable'"),
        ("math:nothing", ("W",), "has no attribute 'nothing'"),
        ("ase_calculators:NOT_CALLABLE", ("W",), "NOT_CALLABLE of ase_calculators is not callable"),
    ],
)
def test_names_that_lead_nowhere(calculators: ModuleType, name: str, elements: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        labeller(name, elements)


def test_gpaw_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mechlearn.interactions.gpaw.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed; .*apt-get install .*libxc-dev .*GPAW_SETUP_PATH"):
        labeller("gpaw")


def test_every_potential_wears_the_protocol(calculators: ModuleType) -> None:
    for potential in (labeller("eam"), Zbl(("W",)), labeller("ase_calculators:copper", ())):
        assert isinstance(potential, Potential)


def test_an_ase_calculator_gives_what_ase_gives() -> None:
    batch = coppers()
    evaluation = AsePotential(EMT).evaluate(batch)
    for index, atoms in enumerate(batch.to_atoms()):
        atoms.calc = EMT()
        own = slice(batch.offsets[index], batch.offsets[index + 1])
        assert evaluation.energies[index] == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
        assert np.allclose(evaluation.forces[own], atoms.get_forces(), atol=1e-12)
        assert np.allclose(evaluation.stresses[index], atoms.get_stress(), atol=1e-12)
        assert evaluation.atomic_energies is not None
        assert np.allclose(evaluation.atomic_energies[own], atoms.get_potential_energies(), atol=1e-12)


def test_the_energy_is_the_one_the_forces_derive_from(calculators: ModuleType) -> None:
    evaluation = AsePotential(calculators.Smeared).evaluate(coppers(2))
    assert evaluation.energies.tolist() == [2.0, 2.0]
    assert np.isnan(evaluation.stresses).all()
    assert evaluation.atomic_energies is None


@pytest.mark.parametrize(("fresh", "made"), [(False, 1), (True, 3)])
def test_calculators_are_shared_unless_told(calculators: ModuleType, fresh: bool, made: int) -> None:
    calculators.Smeared.made = 0
    AsePotential(calculators.Smeared, fresh=fresh).evaluate(coppers(3))
    assert calculators.Smeared.made == made


def test_a_failing_calculator_names_the_structure(calculators: ModuleType) -> None:
    batch = StructureBatch.from_atoms([bulk("Cu"), bulk("Cu", cubic=True)])
    with pytest.raises(WorkError, match="structure 1 with mine: RuntimeError: did not converge in 333 steps"):
        AsePotential(calculators.Failing, name="mine").evaluate(batch)


def test_elements_of_a_calculator_are_checked() -> None:
    with pytest.raises(InputError, match="it holds W, and the ASE calculator knows Cu only"):
        AsePotential(EMT, ("Cu",)).evaluate(StructureBatch.from_atoms([bulk("W")]))


def test_labels_take_the_place_of_labels() -> None:
    batch = coppers()
    first = label(batch, labeller("eam", ("Cu",)))
    second = label(first, AsePotential(EMT))
    assert np.array_equal(second.energies, AsePotential(EMT).evaluate(batch).energies)
    assert np.isfinite(second.forces).all()
    assert np.isfinite(second.stresses).all()
    assert second.groups == batch.groups
    assert np.isnan(batch.energies).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_labels_do_not_depend_on_the_workers(workers: int) -> None:
    batch, potential = coppers(7), labeller("eam", ("Cu",))
    alone = label(batch, potential)
    with executor(workers) as pool:
        shared = label(batch, potential, executor=pool, structures_per_task=3)
    assert np.array_equal(alone.energies, shared.energies)
    assert np.array_equal(alone.forces, shared.forces)
    assert np.array_equal(alone.stresses, shared.stresses)


def test_a_failure_elsewhere_says_where_it_counts_from(calculators: ModuleType) -> None:
    batch = StructureBatch.from_atoms([bulk("Cu")] * 4 + [bulk("Cu", cubic=True)])
    potential = AsePotential(calculators.Failing)
    with (
        executor(1) as pool,
        pytest.raises(WorkError, match=r"counted from structure 4: evaluating structure 0 .*not converge"),
    ):
        label(batch, potential, executor=pool, structures_per_task=2)


def test_a_label_that_is_not_a_number_is_not_taken(calculators: ModuleType) -> None:
    batch = StructureBatch.from_atoms([bulk("Cu"), bulk("Cu", cubic=True), bulk("Cu")])
    with pytest.raises(WorkError, match=r"a force of structure 1 is not finite \(1 such structures\)"):
        label(batch, AsePotential(calculators.NotANumber))


def test_labelling_nothing() -> None:
    assert len(label(StructureBatch.empty(), labeller("eam"))) == 0
    assert len(label(StructureBatch.empty(), AsePotential(EMT))) == 0


def test_importing_potentials_does_not_load_lammps() -> None:
    code = "import sys, mechlearn.interactions; print({'lammps', 'torch', 'numba', 'gpaw'} & set(sys.modules))"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "set()"
