"""Potentials on disk: every bit comes back, and what is no potential is refused with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mechlearn.descriptors import Bispectrum
from mechlearn.errors import InputError
from mechlearn.interactions.potential import Evaluation
from mechlearn.interactions.zbl import Zbl
from mechlearn.learning import Perceptron
from mechlearn.potentials.network import NetworkPotential
from mechlearn.potentials.snap import SnapPotential, column_count
from mechlearn.potentials.storage import FORMATS, Format, load_potential, load_provenance, save_potential
from mechlearn.structures import StructureBatch

ZBL = Zbl(("W", "Be"), 3.7, 4.1 + 1e-15)


def snap(quadratic: bool = False, reference: Zbl | None = None) -> SnapPotential:
    descriptor = Bispectrum(("W", "Be"), cutoff=4.8123, twojmax=4, element_radii=(0.5, 0.417932), rfac0=0.1 + 0.2)
    columns = column_count(descriptor.features, quadratic)
    return SnapPotential(descriptor, np.random.default_rng(0).normal(size=(2, columns)), quadratic, reference)


def network() -> NetworkPotential:
    rng = np.random.default_rng(1)
    descriptor = Bispectrum(("W", "Be"), cutoff=4.1, twojmax=2, element_weights=(1.0, 0.959049))
    perceptrons = tuple(
        Perceptron(
            (rng.normal(size=(5, width)), rng.normal(size=(width, 1))),
            (rng.normal(size=width), rng.normal(size=1)),
        )
        for width in (3, 4)
    )
    return NetworkPotential(
        descriptor,
        perceptrons,
        rng.normal(size=(2, 5)),
        rng.uniform(1, 2, size=(2, 5)),
        rng.normal(size=2),
        1 / 3,
        ZBL,
        {"seed": 7},
    )


def structures() -> StructureBatch:
    rng = np.random.default_rng(2)
    return StructureBatch.from_arrays(
        rng.uniform(0, 6, (8, 3)),
        np.stack([6 * np.eye(3)] * 2),
        np.array([74, 4, 74, 74] * 2, dtype=np.int32),
        [4, 4],
    )


@pytest.mark.parametrize("potential", [snap(), snap(True), snap(True, ZBL), network()], ids=str)
def test_a_potential_comes_back_bit_for_bit(potential: SnapPotential | NetworkPotential, tmp_path: Path) -> None:
    back = load_potential(save_potential(potential, tmp_path / "new" / "model"))
    assert type(back) is type(potential)
    assert back.elements == potential.elements
    assert back.descriptor == potential.descriptor  # type: ignore[attr-defined]
    assert back.reference == potential.reference  # type: ignore[attr-defined]
    before, after = potential.evaluate(structures()), back.evaluate(structures())
    np.testing.assert_array_equal(before.energies, after.energies)
    np.testing.assert_array_equal(before.forces, after.forces)
    np.testing.assert_array_equal(before.stresses, after.stresses)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two", "two"):
        save_potential(network(), tmp_path / name)
    for file in ("model.json", "weights.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_provenance_is_kept(tmp_path: Path) -> None:
    folder = save_potential(network(), tmp_path, provenance={"trained_on": "entropy"})
    assert load_provenance(folder) == {"seed": 7, "trained_on": "entropy"}
    assert load_potential(folder).provenance == {"seed": 7, "trained_on": "entropy"}  # type: ignore[attr-defined]


def edit(folder: Path, **changes: object) -> None:
    model = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**model, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "oracle"}, "the kind is 'oracle'; known are snap, network"),
        ({"format": 2}, "its format is version 2, this mechlearn reads 1; use the version that wrote it"),
        ({"weights_sha256": "0"}, "weights.safetensors is not the file that model.json was saved with"),
        ({"settings": {}}, "its settings do not make a potential"),
    ],
)
def test_a_model_file_that_makes_no_sense_is_refused(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    folder = save_potential(snap(), tmp_path)
    edit(folder, **changes)
    with pytest.raises(InputError, match=message):
        load_potential(folder)


def test_a_file_cannot_ask_for_any_class(tmp_path: Path) -> None:
    folder = save_potential(snap(), tmp_path)
    settings = json.loads((folder / "model.json").read_text())["settings"]
    edit(folder, settings={**settings, "descriptor": {"kind": "subprocess:Popen", "args": ["true"]}})
    with pytest.raises(InputError, match="unknown part 'subprocess:Popen'; known are bispectrum, zbl"):
        load_potential(folder)


def test_a_descriptor_with_a_strange_field_is_refused(tmp_path: Path) -> None:
    folder = save_potential(snap(), tmp_path)
    settings = json.loads((folder / "model.json").read_text())["settings"]
    edit(folder, settings={**settings, "descriptor": {**settings["descriptor"], "colour": "red"}})
    with pytest.raises(InputError, match=r"its settings do not make a potential .*colour"):
        load_potential(folder)


def test_missing_and_truncated_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.json is not there; give the folder that a potential was saved in"):
        load_potential(tmp_path / "nowhere")
    folder = save_potential(snap(), tmp_path)
    content = (folder / "model.json").read_bytes()
    (folder / "model.json").write_bytes(content[:50])
    with pytest.raises(InputError, match="cut short or no JSON"):
        load_potential(folder)
    (folder / "model.json").write_text("{}")
    with pytest.raises(InputError, match="describes no potential"):
        load_potential(folder)
    (folder / "model.json").write_bytes(content)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match="cut short or is no safetensors file"):
        load_potential(folder)
    weights.unlink()
    with pytest.raises(InputError, match=r"weights\.safetensors is not there"):
        load_potential(folder)


class Constant:
    """A potential of somebody else."""

    elements = ("W",)

    def __init__(self, energy: float) -> None:
        self.energy = energy

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        return Evaluation(
            np.full(len(batch), self.energy), np.zeros((batch.atoms, 3)), np.full((len(batch), 6), np.nan)
        )


def test_another_kind_of_potential_needs_a_format_and_gets_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no format for Constant; known are snap, network"):
        save_potential(Constant(2.0), tmp_path)
    constant = Format(
        "constant",
        f"{Constant.__module__}:Constant",
        lambda potential: ({"energy": potential.energy}, {}),
        lambda cls, settings, _: cls(settings["energy"]),
    )
    formats = (*FORMATS, constant)
    back = load_potential(save_potential(Constant(2.0), tmp_path, formats=formats), formats=formats)
    assert isinstance(back, Constant)
    assert back.energy == 2.0


def test_a_network_is_evaluated_without_torch(tmp_path: Path) -> None:
    save_potential(network(), tmp_path)
    code = (
        "import sys; from mechlearn.potentials.storage import load_potential; from ase.build import bulk; "
        "from mechlearn.structures import StructureBatch; "
        f"load_potential({str(tmp_path)!r}).evaluate(StructureBatch.from_atoms([bulk('W')])); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
