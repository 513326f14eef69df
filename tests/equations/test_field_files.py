"""Fields come from files as they were written; what cannot be read is named with its file, line and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from mechlearn.equations import Field, read_field, write_field
from mechlearn.errors import InputError

X, T = np.linspace(0, 1, 7), np.linspace(0, 2, 5)
U = np.sin(3 * X[:, None] + T)
SQUARE = {"x": T, "t": T, "u": U[:5]}


def table(separator: str = ",", names: str = "t,x,u", comma: str = ".") -> str:
    """The field as lines of points."""
    points = [(t, x, np.sin(3 * x + t)) for t in T for x in X]
    lines = [separator.join(repr(float(number)).replace(".", comma) for number in point) for point in points]
    return "\n".join([names, *lines])


TABLES = {
    "plain.csv": table(),
    "byte-order-mark.csv": "\ufeff" + table(),
    "blanks.csv": table(", ", " t , x , u "),
    "quoted.csv": table(names='"t","x","u"'),
    "semicolons.csv": table(";", "t;x;u"),
    "decimal-comma.csv": table(";", "t;x;u", comma=","),
    "tabs.tsv": table("\t", "t\tx\tu"),
    "savetxt.txt": table("  ", "# made in 2024\n# time x u"),
    "blank-line.dat": table(" ", "t x u\n"),
    "backwards.csv": "\n".join([table().splitlines()[0], *table().splitlines()[:0:-1]]),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_every_kind_give_the_same_field(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TABLES[name], encoding="utf-8")
    field = read_field(tmp_path / name)
    assert field.axes == ("x", "t")
    np.testing.assert_array_equal(field.coordinates["x"], X)
    np.testing.assert_array_equal(field.values["u"], U)


def as_npz(path: Path) -> None:
    np.savez(path, x=X, t=T, u=U)


def as_mat(path: Path) -> None:
    savemat(path, {"x": X[None], "t": T[:, None], "usol": U.astype(complex), "note": "a probe", "dt": 0.5})


def as_structure(path: Path) -> None:
    savemat(path, {"data": {"x": X, "t": T, "u": U}})


def as_hdf5(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["grid/x"], file["grid/time"], file["fields/u"] = X, T, U
        file["note"] = "a probe"


def as_matlab_7_3(path: Path) -> None:
    """HDF5 behind a block of text, axes turned round, complex numbers as pairs, words as numbers."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        pairs = np.zeros(U.T.shape, [("real", "f8"), ("imag", "f8")])
        pairs["real"] = U.T
        words = np.array([[ord("x")], [ord("t")]], dtype=np.uint16)
        for name, values in {"x": X[:, None], "t": T[:, None], "u": pairs, "axes": words}.items():
            file[name] = values
            file[name].attrs["MATLAB_class"] = np.bytes_("char" if name == "axes" else "double")
        file["#refs#/a"] = np.ones(3)
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + bytes([0, 2]) + b"IM"
    path.write_bytes(content)


ARRAYS: dict[str, Callable[[Path], None]] = {
    "a.npz": as_npz,
    "a.mat": as_mat,
    "structure.mat": as_structure,
    "a.h5": as_hdf5,
    "v73.mat": as_matlab_7_3,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_format_give_the_same_field(tmp_path: Path, name: str) -> None:
    ARRAYS[name](tmp_path / name)
    field = read_field(tmp_path / name, units={"u": "m/s"})
    assert (field.axes, field.names, dict(field.units)) == (("x", "t"), ("u",), {"u": "m/s"})
    np.testing.assert_array_equal(field.values["u"], U)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    field = Field({"u": U[:5].T, "vx": U[1:6].T}, {"t": T, "x": T + 1}, {"u": "m/s", "t": "s"})
    again = read_field(write_field(tmp_path / "a.npz", field))
    assert (again.axes, dict(again.units)) == (field.axes, dict(field.units))
    for name, values in field.values.items():
        np.testing.assert_array_equal(again.values[name], values)
    with pytest.raises(InputError, match=r"a\.txt: fields are written as \.npz"):
        write_field(tmp_path / "a.txt", field)


def test_the_order_of_axes_is_seen_or_said_but_never_guessed(tmp_path: Path) -> None:
    np.savez(tmp_path / "turned.npz", x=X, t=T, u=U.T, v=U)
    turned = read_field(tmp_path / "turned.npz")
    assert turned.axes == ("t", "x")
    np.testing.assert_array_equal(turned.values["v"], U.T)
    np.savez(tmp_path / "square.npz", **SQUARE)
    with pytest.raises(InputError, match=r"u has the shape 5 × 5, which fits .* such as xt or tx"):
        read_field(tmp_path / "square.npz")
    assert read_field(tmp_path / "square.npz", axes="tx").axes == ("t", "x")
    with pytest.raises(InputError, match=r"the order of axes xt does not fit .*; tx does"):
        read_field(tmp_path / "turned.npz", axes="xt")
    np.savez(tmp_path / "said.npz", **SQUARE, axes="tx")
    assert read_field(tmp_path / "said.npz").axes == ("t", "x")


def test_scales_of_hdf5_tell_the_order(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in SQUARE.items():
            file[name] = values
        for place, name in enumerate("tx"):
            file[name].make_scale()
            file["u"].dims[place].attach_scale(file[name])
        file["u"].attrs["units"] = "K"
    field = read_field(tmp_path / "a.h5")
    assert (field.axes, dict(field.units)) == (("t", "x"), {"u": "K"})


def test_units_stand_behind_names_and_may_be_overruled(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table(names="time (s),x [mm],v_x [1/(m s)]"))
    field = read_field(path, units={"x": "m", "v_x": "m/s"})
    assert dict(field.units) == {"t": "s", "x": "m", "vx": "m/s"}


@pytest.mark.parametrize("name", ["a.csv", "a.npz"])
def test_trajectories_have_time_alone(tmp_path: Path, name: str) -> None:
    if name.endswith("csv"):
        (tmp_path / name).write_text("t,x,theta\n0,1,2\n1,2,2\n2,3,2.5\n")
    else:
        np.savez(tmp_path / name, t=np.arange(3.0), x=np.array([1, 2, 3]), theta=np.array([2, 2, 2.5]))
    field = read_field(tmp_path / name)
    assert (field.axes, field.names) == (("t",), ("x", "theta"))


def test_empty_cells_and_missing_lines_are_gaps(tmp_path: Path) -> None:
    lines = table().splitlines()[:-1]
    lines[1] = lines[1].rpartition(",")[0] + ","
    (tmp_path / "a.csv").write_text("\n".join(lines))
    field = read_field(tmp_path / "a.csv")
    assert np.argwhere(np.isnan(field.values["u"])).tolist() == [[0, 0], [6, 4]]
    with pytest.raises(InputError, match="at 2 of 35 points, first at x = 0, t = 0"):
        field.require_complete()


def test_coordinates_written_with_rounding_are_the_same(tmp_path: Path) -> None:
    lines = [f"{t + 1e-13 * place!r},{x!r},{x * t!r}" for t in T.tolist() for place, x in enumerate(X.tolist())]
    (tmp_path / "a.csv").write_text("\n".join(["t,x,u", *lines]))
    assert read_field(tmp_path / "a.csv", axes="xt").values["u"].shape == (7, 5)


BAD_TABLES = {
    "nothing": ("", "it holds no numbers"),
    "names alone": ("t,x,u\n", "it holds no numbers"),
    "no names": ("0,0,1\n0,1,2\n", "line 1 is numbers; begin with a line of names"),
    "no t": ("s,x,u\n0,0,1\n0,1,2\n", "no t among the columns s, x, u; name the times 't'"),
    "only t": ("t\n0\n1\n2\n", "none beside t; add what was measured"),
    "a word": ("t,x,u\n0,0,1\n0,1,abc\n", "line 3: u is 'abc', which is no number"),
    "a column of words": ("t,x,u,who\n0,0,1,Ann\n0,1,2,Bob\n", "line 2: who is 'Ann', which is no number"),
    "a short line": ("t,x,u\n0,0,1\n0,1\n", "line 3: 2 values for 3 columns"),
    "no time on a line": ("t,x,u\n0,0,1\n,1,2\n1,0,3\n1,1,1\n", "line 3: no t"),
    "a point twice": ("t,x,u\n0,0,1\n0,0,2\n1,0,3\n1,1,1\n", "lines 2 and 3 have the same x, t"),
    "times twice": ("t,u\n0,1\n0,2\n1,3\n", "lines 2 and 3 have the same t"),
    "a name twice": ("t,u,u\n0,1,1\n1,2,1\n", "u heads 2 columns"),
    "a unit of nothing": ("t [s],u [°C]\n0,1\n1,2\n", "u: the unit '°C' cannot be read"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    content, message = BAD_TABLES[case]
    (tmp_path / "bad.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_field(tmp_path / "bad.csv")
    assert "bad.csv" in str(caught.value)


def test_scattered_points_make_no_grid(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((200, 2))
    lines = [f"{place % 5},{x},{y},{x * y}" for place, (x, y) in enumerate(points.tolist())]
    (tmp_path / "a.csv").write_text("\n".join(["t,x,y,u", *lines]))
    with pytest.raises(InputError, match=r"200 lines are not points of a grid.*200 x × 200 y × 5 t"):
        read_field(tmp_path / "a.csv")


BAD_ARRAYS = {
    "no t": ({"x": X, "u": U}, r"no t among x \(7\), u \(7 × 5\)"),
    "t on the grid": ({"x": X, "t": U, "u": U}, r"t is no vector"),
    "fits nowhere": ({"x": X, "t": T, "u": U[:, :3]}, r"no array fits on the grid of x \(7\), t \(5\)"),
    "a matrix of variables": ({"t": T, "X": U[:3].T}, "columns of a trajectory one by one"),
    "complex": ({"x": X, "t": T, "psi": U + 1j * U}, "psi is complex; store its real and imaginary parts"),
    "falling": ({"x": X[::-1], "t": T, "u": U}, r"the coordinate x does not rise from 1 to 0\.833333"),
    "only t": ({"t": T}, "no array on the grid of t"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays_are_named(tmp_path: Path, case: str) -> None:
    arrays, message = BAD_ARRAYS[case]
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=message) as caught:
        read_field(tmp_path / "bad.npz")
    assert "bad.npz" in str(caught.value)


def test_two_datasets_of_one_name_are_refused_with_their_places(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"], file["x"], file["run1/u"], file["run2/u"] = T, X, U, U
    with pytest.raises(InputError, match="u is there twice, as run1/u and run2/u"):
        read_field(tmp_path / "a.h5")


@pytest.mark.parametrize("ending", [".mat", ".npz", ".h5"])
def test_what_is_no_such_file_is_said(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    with pytest.raises(InputError, match="there is no file of that name"):
        read_field(path)
    path.write_text("no")
    with pytest.raises(InputError, match=rf"it is no whole \{ending} file"):
        read_field(path)


def test_an_unknown_ending_is_told_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_text("no")
    with pytest.raises(InputError, match=r"its ending is \.xls; give one of \.csv, .*\.npz"):
        read_field(tmp_path / "a.xls")
