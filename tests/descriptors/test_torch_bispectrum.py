"""The bispectrum through torch: the numbers of the compiled kernels, on every device that is there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from cells import random_batch
from mechlearn.descriptors import Bispectrum
from mechlearn.descriptors.torch_bispectrum import TorchBispectrum
from mechlearn.errors import InputError
from mechlearn.learning import Perceptron
from mechlearn.potentials.network import NetworkPotential
from mechlearn.potentials.snap import SnapPotential
from mechlearn.potentials.storage import pack_part, unpack_part
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

ALLOY = Bispectrum(("W", "Be"), cutoff=4.73, twojmax=8, element_radii=(0.5, 0.417932), element_weights=(1.0, 0.959049))

#: Of the largest number of its kind.
TOLERANCE = {"double": 1e-9, "single": 1e-5}

DEVICES = pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
            ],
        ),
    ],
)
PRECISIONS = pytest.mark.parametrize("precision", ["double", "single"])


@pytest.fixture(scope="module")
def batch() -> StructureBatch:
    """Cells smaller than the cutoff, sheared ones, and an atom that has no neighbours."""
    alone = StructureBatch.from_arrays(np.zeros((1, 3)), 50 * np.eye(3)[None], np.array([74], dtype=np.int32), [1])
    return StructureBatch.concatenate([random_batch(np.random.default_rng(5), 10, ("W", "Be")), alone])


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Equal to a part of the largest number of each column."""
    assert found.dtype == np.float64
    difference = np.abs(found - expected).max(axis=0)
    assert (difference <= tolerance * np.abs(expected).max(axis=0)).all(), difference / np.abs(expected).max(axis=0)


@DEVICES
@PRECISIONS
@pytest.mark.parametrize("twojmax", [0, 3, 8])
def test_equals_the_compiled_kernels(batch: StructureBatch, device: str, precision: str, twojmax: int) -> None:
    compiled = replace(ALLOY, twojmax=twojmax, rmin0=0.3, bzero=twojmax > 0)
    through_torch = replace(compiled, device=device, precision=precision)
    gradient = np.random.default_rng(6).normal(size=(batch.atoms, compiled.features))
    tolerance = TOLERANCE[precision]
    assert_close(through_torch.compute(batch), compiled.compute(batch), tolerance)
    (sums, found), (right_sums, expected) = (
        each.prepare(batch).contract(gradient) for each in (through_torch, compiled)
    )
    assert_close(sums, right_sums, tolerance)
    assert_close(found.forces, expected.forces, tolerance)
    assert_close(found.virials.reshape(-1, 9), expected.virials.reshape(-1, 9), tolerance)


def test_the_kernels_do_not_stand_in(batch: StructureBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TorchBispectrum, "values", lambda self: np.zeros((self.batch.atoms, self.descriptor.features)))
    assert not replace(ALLOY, device="cpu", bzero=False).compute(batch).any()


def test_chunks_change_nothing_but_rounding(batch: StructureBatch) -> None:
    descriptor = replace(ALLOY, device="cpu")
    pairs = neighbour_pairs(batch, descriptor.reach)
    gradient = np.random.default_rng(7).normal(size=(batch.atoms, descriptor.features))
    small, large = (TorchBispectrum(descriptor, batch, pairs, chunk_bytes=limit) for limit in (1, 1 << 30))
    assert (len(small._chunks), len(large._chunks)) == (batch.atoms, 1)
    assert_close(small.values(), large.values(), 1e-13)
    for found, expected in zip(small.contract(gradient), large.contract(gradient), strict=True):
        assert_close(found, expected, 1e-13)


def test_no_atoms() -> None:
    nothing = StructureBatch.from_arrays(np.zeros((0, 3)), np.zeros((0, 3, 3)), np.zeros(0, dtype=np.int32), [])
    descriptor = replace(ALLOY, device="cpu")
    assert descriptor.compute(nothing).shape == (0, 55)
    assert descriptor.pullback(nothing, np.zeros((0, 55))).forces.shape == (0, 3)


@DEVICES
@PRECISIONS
def test_potentials_on_a_device(batch: StructureBatch, device: str, precision: str) -> None:
    rng = np.random.default_rng(8)
    descriptor = replace(ALLOY, twojmax=4)
    features = descriptor.features
    network = Perceptron(
        (rng.normal(size=(features, 4)), rng.normal(size=(4, 1))), (rng.normal(size=4), rng.normal(size=1))
    )
    frame = descriptor.compute(batch).std(axis=0) * np.ones((2, 1))
    for potential in (
        SnapPotential(descriptor, rng.normal(size=(2, 1 + features))),
        NetworkPotential(descriptor, (network, network), np.zeros((2, features)), frame, np.zeros(2), 1.0),
    ):
        moved = replace(potential, descriptor=replace(descriptor, device=device, precision=precision))
        found, expected = moved.evaluate(batch), potential.evaluate(batch)
        for name in ("energies", "forces", "stresses"):
            assert_close(getattr(found, name), getattr(expected, name), TOLERANCE[precision])


def test_the_device_is_no_part_of_the_numbers(batch: StructureBatch) -> None:
    """Derivatives are the compiled kernels' in any case; descriptors are equal, and saved, wherever they are used."""
    moved = replace(ALLOY, device="cpu", precision="single")
    assert moved == ALLOY
    assert pack_part(moved) == pack_part(ALLOY)
    assert unpack_part(pack_part(moved)).device is None
    direction = np.random.default_rng(9).normal(size=(batch.atoms, 3))
    np.testing.assert_array_equal(moved.pushforward(batch, direction), ALLOY.pushforward(batch, direction))
    np.testing.assert_array_equal(moved.jacobian(batch).derivatives, ALLOY.jacobian(batch).derivatives)


def test_torch_is_not_loaded_unasked() -> None:
    code = (
        "import sys, mechlearn.descriptors as d, mechlearn.structures as s, ase.build as b;"
        "d.Bispectrum(twojmax=2).prepare(s.StructureBatch.from_atoms([b.bulk('W')]));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "abacus"}, "'abacus': there is no such device here; give 'cuda'"),
        ({"device": "meta"}, "'meta': there is no such device here"),
        ({"precision": "single"}, "precision is 'single'; give 'double', or 'single' and a device"),
    ],
)
def test_refuses(change: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(ALLOY, **change)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_says_that_there_is_no_gpu() -> None:
    with pytest.raises(InputError, match=r"'cuda': torch \S+ (was built without CUDA|finds no CUDA device); use"):
        replace(ALLOY, device="cuda")


def test_says_which_extra_torch_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"torch is not installed; pip install 'mechlearn\[nn\]'"):
        replace(ALLOY, device="cuda")
