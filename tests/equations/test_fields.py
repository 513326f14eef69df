"""Fields come from files as they were written, and what cannot be used is named with its place."""

import numpy as np
import pytest
from scipy.io import savemat

from mechlearn.equations import Field, read_field
from mechlearn.errors import InputError

X, T = np.linspace(0, 1, 7), np.linspace(0, 2, 5)
U = np.sin(3 * X[:, None] + T)


def test_every_format_gives_the_same_field(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, t=T, u=U)
    savemat(tmp_path / "a.mat", {"x": X[None], "t": T[:, None], "usol": U.astype(complex)})
    lines = [f"{t},{x},{np.sin(3 * x + t)}" for t in T for x in X]
    (tmp_path / "a.csv").write_text("t,x,u\n" + "\n".join(lines))
    names = ["a.npz", "a.mat", "a.csv"]
    try:
        import h5py
    except ImportError:
        pass
    else:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["x"], file["t"], file["u"] = X, T, U
        names.append("a.h5")
    for name in names:
        field = read_field(tmp_path / name, units={"u": "m/s"})
        assert field.axes == ("x", "t")
        np.testing.assert_allclose(field.values["u"], U, rtol=1e-14)


def test_trajectories_have_time_alone(tmp_path):
    (tmp_path / "lorenz.csv").write_text("t,x,y,z\n0,1,2,3\n1,2,2,4\n2,3,2.5,5\n")
    field = read_field(tmp_path / "lorenz.csv")
    assert field.axes == ("t",)
    assert field.names == ("x", "y", "z")


def test_missing_lines_are_gaps(tmp_path):
    lines = [f"{t},{x},{x * t}" for t in T for x in X][:-1]
    (tmp_path / "a.csv").write_text("t,x,u\n" + "\n".join(lines))
    field = read_field(tmp_path / "a.csv")
    assert np.isnan(field.values["u"][-1, -1])
    with pytest.raises(InputError, match="at 1 of 35 points, first at x = 1, t = 2"):
        field.require_complete()


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(InputError, match="same value everywhere"):
        Field({"u": np.ones((7, 5))}, {"x": X, "t": T})
    with pytest.raises(InputError, match=r"u has the shape \(5, 7\)"):
        Field({"u": U.T}, {"x": X, "t": T})
    with pytest.raises(InputError, match="does not rise"):
        Field({"u": U}, {"x": X[::-1], "t": T})
    with pytest.raises(InputError, match="no coordinate t"):
        Field({"u": U}, {"x": X, "y": T})
    with pytest.raises(InputError, match="x is not uniform: a step of"):
        Field({"u": U}, {"x": X**2 + X, "t": T}).steps()
    with pytest.raises(InputError, match="there is no file"):
        read_field(tmp_path / "none.npz")
    (tmp_path / "a.mat").write_text("no")
    with pytest.raises(InputError, match=r"is it a \.mat file"):
        read_field(tmp_path / "a.mat")
