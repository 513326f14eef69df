"""Samples of quantities come from columns or tensors, of the plane or of space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mechlearn.equations import read_samples
from mechlearn.errors import InputError

COLUMNS = ("E_xx", "E_yy", "E_zz", "E_yz", "E_xz", "E_xy")


def test_components_and_tensors_are_the_same(tmp_path: Path) -> None:
    tensors = np.random.default_rng(0).normal(size=(5, 3, 3))
    tensors = tensors + tensors.swapaxes(1, 2)
    components = tensors[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    np.savetxt(tmp_path / "a.csv", components, delimiter=",", header=",".join(COLUMNS), comments="")
    np.savez(tmp_path / "a.npz", E=tensors)
    for name in ("a.csv", "a.npz"):
        samples = read_samples(tmp_path / name, {"E": "symmetric tensor"}, {"E": "GPa"})
        ((quantity, values),) = samples.values.items()
        assert (quantity.dimension, quantity.unit, samples.blocks) == (3, "GPa", None)
        np.testing.assert_array_equal(quantity.components(values), components)


def test_what_has_no_z_is_of_the_plane(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("E_xx,E_yy,E_xy,s,block\n1,2,3,4,a\n1,2,3,5,b\n")
    samples = read_samples(tmp_path / "a.csv", {"E": "symmetric tensor", "s": "scalar"})
    assert [quantity.dimension for quantity in samples.values] == [2, 2]
    assert samples.blocks is not None
    assert samples.blocks.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("E_xx,E_yy\n1,2\n", "needs the columns E_xx, E_yy, E_xy; there is no E_xy among E_xx, E_yy"),
        ("E_xx,E_yy,E_xy\n1,2,3\n1,,3\n", "line 3: E_yy is not finite"),
        ("E_xx,E_yy,E_xy\n1,2,3\n1,stiff,3\n", "line 3: E_yy is 'stiff'"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_samples(tmp_path / "a.csv", {"E": "symmetric tensor"})


def test_an_unknown_kind_is_told_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("v_x,v_y\n1,2\n")
    with pytest.raises(InputError, match=r"declaring v: .*'vectr'; give one of scalar"):
        read_samples(tmp_path / "a.csv", {"v": "vectr"})
