"""Networks for ML-IAP: the exported module gives the potential's numbers, LAMMPS reads the descriptor."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mechlearn.descriptors import Bispectrum
from mechlearn.engines.lammps import lammps_session
from mechlearn.errors import InputError, WorkError
from mechlearn.interactions.lammps import LammpsPotential
from mechlearn.interactions.zbl import Zbl
from mechlearn.learning import Perceptron
from mechlearn.potentials.lammps_run import lammps_with
from mechlearn.potentials.mliap import MliapFiles, write_mliap
from mechlearn.potentials.network import NetworkPotential
from mechlearn.potentials.snap import SnapPotential
from mechlearn.structures import StructureBatch

ELEMENTS = ("W", "Be")


def random_network(reference: Zbl | None = None) -> NetworkPotential:
    """Two elements, two hidden layers, random weights."""
    rng = np.random.default_rng(2)
    descriptor = Bispectrum(ELEMENTS, 4.4, 4, (0.5, 0.43), (1.0, 0.9), rfac0=0.98)
    widths = (descriptor.features, 7, 5, 1)
    shapes = list(pairwise(widths))
    perceptrons = tuple(
        Perceptron(
            tuple(rng.normal(size=shape) for shape in shapes),
            tuple(rng.normal(size=shape[1]) for shape in shapes),
        )
        for _ in ELEMENTS
    )
    return NetworkPotential(
        descriptor=descriptor,
        perceptrons=perceptrons,
        mean=rng.normal(size=(2, descriptor.features)),
        spread=rng.uniform(5.0, 20.0, (2, descriptor.features)),
        energy_shift=np.array([-8.0, -3.0]),
        energy_scale=0.7,
        reference=reference,
    )


def alloy() -> StructureBatch:
    """A sheared, rattled cell of both elements."""
    atoms = bulk("W", "bcc", a=3.1, cubic=True) * (2, 2, 1)
    atoms.set_cell(atoms.cell.array + np.random.default_rng(0).uniform(-0.3, 0.3, (3, 3)), scale_atoms=True)
    atoms.rattle(0.1, seed=0)
    atoms.symbols[::3] = "Be"
    return StructureBatch.from_atoms([atoms])


@pytest.fixture
def files(tmp_path: Path) -> MliapFiles:
    """An exported network."""
    return write_mliap(random_network(), tmp_path / "export", "alloy", provenance="random weights")


def exported_module(files: MliapFiles) -> ModuleType:
    """The exported module, imported from its file as LAMMPS's user would."""
    specification = importlib.util.spec_from_file_location(files.module.stem, files.module)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_exported_module_gives_energies_and_gradients(files: MliapFiles) -> None:
    network, batch = random_network(), alloy()
    descriptors, element = network.descriptor.compute(batch), network.element_indices(batch)
    expected, gradient = network.energies_and_gradient(descriptors, element)
    model = exported_module(files).load()
    beta, energy = np.empty_like(descriptors), np.empty(batch.atoms)
    # LAMMPS hands over C integers and calls the model with four arrays, by position.
    model(element.astype(np.int32), descriptors, beta, energy)
    np.testing.assert_allclose(energy, expected, rtol=1e-12)
    np.testing.assert_allclose(beta, gradient, rtol=1e-10, atol=1e-13)
    assert (model.n_elements, model.n_descriptors, model.n_params) == (2, 14, network.parameters)


def test_exported_module_needs_only_numpy_and_safetensors(files: MliapFiles) -> None:
    code = (
        "import sys; import alloy_mliap; alloy_mliap.load(); "
        "assert not {'mechlearn', 'torch', 'ase', 'numba'} & set(sys.modules), 'imports too much'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=files.module.parent, check=True)


def test_the_wheel_computes_the_same_descriptors_from_the_file(files: MliapFiles, tmp_path: Path) -> None:
    """A linear model on the exported descriptor file is the SNAP potential of the same coefficients."""
    descriptor = random_network().descriptor
    assert isinstance(descriptor, Bispectrum)
    coefficients = np.random.default_rng(1).normal(size=(2, 1 + descriptor.features))
    model = tmp_path / "linear.model"
    model.write_text(
        f"2 {coefficients.shape[1]}\n" + "\n".join(f"{value:.16e}" for value in coefficients.ravel()) + "\n"
    )
    linear = LammpsPotential(
        f"mliap model linear {model} descriptor sna {files.descriptor}",
        (f"* * {' '.join(ELEMENTS)}",),
        ELEMENTS,
    )
    evaluation = linear.evaluate(alloy())
    expected = SnapPotential(descriptor=descriptor, coefficients=coefficients).evaluate(alloy())
    np.testing.assert_allclose(evaluation.energies, expected.energies, rtol=1e-9)
    np.testing.assert_allclose(evaluation.forces, expected.forces, atol=1e-9 * np.abs(expected.forces).max())


def test_the_wheel_reads_the_input_up_to_the_missing_coupling(
    files: MliapFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should this fail because the wheel got the coupling, run the export in it."""
    monkeypatch.chdir(files.include.parent)
    with pytest.raises(WorkError, match="mliappy requires ML-IAP with python"), lammps_session() as lmp:
        lmp.commands_string("units metal\nregion box block 0 3 0 3 0 3\ncreate_box 2 box\ninclude alloy.mliap")


def test_the_native_networks_of_the_wheel_have_no_softplus(files: MliapFiles, tmp_path: Path) -> None:
    """``model nn`` takes the word softplus for linear: should it learn it, networks could be native."""
    descriptor = Bispectrum(("W",), 4.4, 2)
    model, settings = tmp_path / "nn.model", tmp_path / "nn.descriptor"
    # One hidden node of value B_1 + 2, an output of three times that.
    model.write_text("1 8\nNET 5 2 softplus 1 linear 1\n0 0 0 0 0\n1 1 1 1 1\n2 1 0 0 0 0\n0 3\n")
    settings.write_text("rcutfac 4.4\ntwojmax 2\nnelems 1\nelems W\nradelems 0.5\nwelems 1.0\n")
    potential = LammpsPotential(f"mliap model nn {model} descriptor sna {settings}", ("* * W",), ("W",))
    batch = StructureBatch.from_atoms([Atoms("W", cell=np.eye(3) * 3.0, pbc=True)])
    linear = 3.0 * (descriptor.compute(batch)[0, 0] + 2.0)
    assert potential.evaluate(batch).energies[0] == pytest.approx(linear, rel=1e-9)


def test_networks_run_in_the_wheel_by_fix_external() -> None:
    network = random_network(Zbl(ELEMENTS, 3.0, 4.0))
    atoms = alloy().to_atoms()[0]
    expected = network.evaluate(alloy())
    with lammps_with(network, atoms) as lmp:
        lmp.commands_string("fix 1 all nve\nrun 0")
        assert lmp.get_thermo("pe") == pytest.approx(expected.energies[0], rel=1e-10)
        initial = lmp.get_thermo("etotal")
        lmp.commands_string("timestep 0.0001\nrun 50")
        assert lmp.get_thermo("etotal") == pytest.approx(initial, abs=1e-3 * abs(initial))


def test_the_reference_is_laid_over(tmp_path: Path) -> None:
    text = write_mliap(random_network(Zbl(ELEMENTS, 3.0, 4.0)), tmp_path, "alloy").include.read_text()
    style = "mliap model mliappy LATER descriptor sna alloy.mliap.descriptor"
    assert f"pair_style hybrid/overlay zbl 3.0 4.0 {style}" in text
    assert "pair_coeff 1 2 zbl 74 4\npair_coeff 2 2 zbl 4 4\npair_coeff * * mliap W Be" in text


def test_a_name_that_is_no_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'2 alloys' cannot name a Python module"):
        write_mliap(random_network(), tmp_path, "2 alloys")
