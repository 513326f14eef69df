"""``mechlearn equations``: from a file to an equation, from an equation to a simulation, and the messages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mechlearn.equations import Coefficient, Equation, Field, Term, read_field, write_equations, write_field

X, T = np.linspace(0, 10, 64, endpoint=False), np.linspace(0, 4, 50)
#: Small libraries, so that a command takes a second.
SMALL = ("--degree", 1, "--order", 2)


def waves() -> np.ndarray:
    """Three waves that travel and decay, u_t = -0.5 u_x + 0.1 u_xx, with 1% noise."""
    u = np.zeros((len(X), len(T)))
    for number, phase in ((1, 0.3), (2, 1.1), (3, 2.0)):
        k = 2 * np.pi * number / 10
        u += np.exp(-0.1 * k**2 * T) * np.sin(k * (X[:, None] - 0.5 * T) + phase)
    return u + 0.01 * u.std() * np.random.default_rng(0).normal(size=u.shape)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The waves as a table, and equations for them: right, of another field, and one that blows up."""
    folder = tmp_path_factory.mktemp("waves")
    points = [(t, x, value) for t, column in zip(T, waves().T, strict=True) for x, value in zip(X, column, strict=True)]
    np.savetxt(folder / "waves.csv", points, delimiter=",", header="t [s],x [m],u [K]", comments="")
    right = (Coefficient(Term("u_x"), -0.5), Coefficient(Term("u_xx"), 0.1))
    write_equations(folder / "right.json", [Equation(Term("u_t"), right)])
    write_equations(folder / "still.json", [Equation(Term("u_t"), ())])
    write_equations(folder / "grows.json", [Equation(Term("u_t"), (Coefficient(Term("u^2"), 5.0),))])
    write_equations(folder / "other.json", [Equation(Term("u_t"), (Coefficient(Term("v"), 1.0),))])
    (folder / "none.json").write_text('{"terms": 3}')
    return folder


@pytest.fixture(scope="module")
def crystal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stress of a cubic crystal at random strains, with 2% noise."""
    rng = np.random.default_rng(1)
    strain = rng.normal(size=(200, 6))
    stress = 2.0 * strain + 1.5 * strain * [1, 1, 1, 0, 0, 0]
    stress[:, :3] += strain[:, :3].sum(axis=1, keepdims=True)
    stress += 0.02 * stress.std() * rng.normal(size=stress.shape)
    names = [f"{quantity}_{place}" for quantity in "ES" for place in ("xx", "yy", "zz", "yz", "xz", "xy")]
    path = tmp_path_factory.mktemp("crystal") / "crystal.csv"
    np.savetxt(path, np.hstack([strain, stress]), delimiter=",", header=",".join(names), comments="")
    return path


def test_discover_finds_the_equation_and_how_sure_it_is(mechlearn: Callable, folder: Path, tmp_path: Path) -> None:
    outcome = mechlearn(
        "equations", "discover", folder / "waves.csv", *SMALL, "--out", tmp_path / "found.json", "--json"
    )
    assert outcome.status == 0, outcome.err
    answer = json.loads(outcome.out)
    (equation,) = answer["equations"]
    assert equation["lhs"] == "u_t"
    assert equation["units"] == {"u_x": "m/s", "u_xx": "m^2/s"}
    for term, name, value in zip(equation["terms"], ("u_x", "u_xx"), (-0.5, 0.1), strict=True):
        assert term["name"] == name
        assert term["coefficient"] == pytest.approx(value, rel=0.02)
        assert term["low"] < term["coefficient"] < term["high"]
        assert term["probability"] > 0.9
    assert answer["noise"] == pytest.approx([0.01], rel=0.2)
    assert answer["symmetry"] is None
    assert json.loads((tmp_path / "found.json").read_text()) == answer


def test_discover_shows_the_equation_first_and_the_trust_last(mechlearn: Callable, folder: Path) -> None:
    outcome = mechlearn("equations", "discover", folder / "waves.csv", *SMALL)
    lines = outcome.out.strip().splitlines()
    assert lines[0].startswith("u_t = -0.")
    assert lines[0].endswith(" u_xx")
    assert re.fullmatch(r"noise: u (1|0\.9\d?)% of the field's standard deviation", lines[-2])
    assert lines[-1] == "trust: every term is kept in 100% of resamples"
    assert "u at 64 × 50 points of x, t" in outcome.err


def test_a_poor_equation_is_not_praised(mechlearn: Callable, folder: Path, tmp_path: Path) -> None:
    """Only u_xxx is left out of the candidates of this law: what was found misses by more than noise explains."""
    k = 2 * np.pi * np.array([1, 2, 3]) / 10
    u = sum(np.sin(q * X[:, None] + q**3 * T) for q in k)
    write_field(tmp_path / "a.npz", Field({"u": u}, {"x": X, "t": T}))
    outcome = mechlearn("equations", "discover", tmp_path / "a.npz", *SMALL)
    assert "times what noise explains: a term may be missing" in outcome.out


def test_a_trajectory_is_an_ode(mechlearn: Callable, tmp_path: Path) -> None:
    t = np.linspace(0, 20, 400)
    np.savetxt(tmp_path / "a.csv", np.c_[t, np.cos(t), np.sin(t)], delimiter=",", header="time,q,p", comments="")
    outcome = mechlearn("equations", "discover", tmp_path / "a.csv", "--degree", 1)
    assert outcome.out.splitlines()[:2] == ["q_t = -1 p", "p_t = 1 q"]


def test_a_law_is_found_with_its_symmetry(mechlearn: Callable, crystal: Path) -> None:
    words = ("--quantity", "E=symmetric-tensor", "--quantity", "S=symmetric tensor", "--law", "S", "--degree", 1)
    shown = mechlearn("equations", "discover", crystal, *words)
    assert shown.status == 0, shown.err
    assert "symmetry: cubic (Oh), the same under the rotations and reflections of a cube" in shown.out
    answer = json.loads(mechlearn("equations", "discover", crystal, *words, "--json").out)
    assert answer["symmetry"]["group"] == "cubic"
    assert {row["group"]: row["adequate"] for row in answer["symmetry"]["evidence"]}["isotropic"] is False
    found = {term["name"]: term["coefficient"] for term in answer["equations"][0]["terms"]}
    assert found == pytest.approx({"E": 2.0, "diag(E)": 1.5, "tr(E) I": 1.0}, rel=0.03)


def test_groups_to_choose_from_can_be_named(mechlearn: Callable, crystal: Path) -> None:
    words = ("--quantity", "E=symmetric-tensor", "--quantity", "S=symmetric-tensor", "--law", "S", "--degree", 1)
    outcome = mechlearn("equations", "discover", crystal, *words, "--group", "isotropic", "--group", "D2h", "--json")
    symmetry = json.loads(outcome.out)["symmetry"]
    assert [row["group"] for row in symmetry["evidence"]] == ["isotropic", "orthotropic"]
    assert symmetry["group"] == "orthotropic"


def test_the_symmetry_of_a_field_is_found(mechlearn: Callable, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = t = np.linspace(0, 6, 40)
    u = np.zeros((40, 40, 40))
    for _ in range(12):
        k, phase = rng.normal(size=2), rng.uniform(0, 6)
        u += np.exp(-0.1 * k @ k * t) * np.cos(k[0] * x[:, None, None] + k[1] * x[:, None] + phase)
    u += 0.02 * u.std() * rng.normal(size=u.shape)
    write_field(tmp_path / "a.npz", Field({"u": u}, {"x": x, "y": x, "t": t}))
    words = ("--quantity", "u=scalar", *SMALL)
    shown = mechlearn("equations", "discover", tmp_path / "a.npz", *words)
    assert shown.status == 0, shown.err
    assert re.match(r"u_t = 0\.\d+ Δu\n", shown.out)
    assert "symmetry: isotropic (O(2)), the same under every rotation and reflection" in shown.out
    answer = json.loads(mechlearn("equations", "discover", tmp_path / "a.npz", *words, "--json").out)
    assert [term["name"] for term in answer["equations"][0]["terms"]] == ["u_xx", "u_yy"]
    assert answer["symmetry"]["laws"][0]["terms"][0]["name"] == "Δu"


def test_simulate_goes_on_beyond_the_data(mechlearn: Callable, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "simulated.npz"
    outcome = mechlearn(
        "equations", "simulate", folder / "right.json", folder / "waves.csv", "--out", out, "--until", 6
    )
    assert outcome.status == 0, outcome.err
    simulated, data = read_field(out), read_field(folder / "waves.csv")
    assert simulated.coordinates["t"][-1] == pytest.approx(6, abs=T[1])
    np.testing.assert_allclose(simulated.values["u"][:, : len(T)], data.values["u"], atol=0.1)
    assert dict(simulated.units) == {"u": "K", "x": "m", "t": "s"}


def test_compare_has_a_row_for_every_file(mechlearn: Callable, folder: Path) -> None:
    words = (folder / "waves.csv", folder / "right.json", folder / "still.json", folder / "grows.json")
    rows = json.loads(mechlearn("equations", "compare", *words, "--json").out)["comparisons"]
    right, still, grows = rows
    assert [row["terms"] for row in rows] == [2, 0, 1]
    assert right["horizon"] is None
    assert right["error"] < 0.05 < still["error"]
    assert right["residual_square"] < 2 < still["residual_square"]
    assert still["horizon"] < 1
    assert grows["error"] is None
    shown = mechlearn("equations", "compare", *words)
    assert shown.status == 0
    assert f"{folder / 'grows.json'}: {grows['failure']}" in shown.out


def _changed(name: str, change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[Path], Path]:
    """A maker of a file of the waves with something wrong."""

    def make(folder: Path) -> Path:
        arrays = {"x": X.copy(), "t": T.copy(), "u": waves()}
        change(arrays)
        np.savez(folder / name, **arrays)
        return folder / name

    return make


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return make


def _set_gap(arrays: dict[str, np.ndarray]) -> None:
    arrays["u"][5, 7] = np.nan


def _stretch(arrays: dict[str, np.ndarray]) -> None:
    arrays["x"] = arrays["x"] ** 1.2


def _shorten(arrays: dict[str, np.ndarray]) -> None:
    arrays["t"], arrays["u"] = arrays["t"][:12], arrays["u"][:, :12]


def _flatten(arrays: dict[str, np.ndarray]) -> None:
    arrays["u"][:] = 3.0


BAD_DATA = {
    "no such file": (lambda folder: folder / "none.csv", (), "none.csv: there is no file"),
    "no t column": (_text("a.csv", "s,x,u\n0,0,1\n0,1,2\n"), (), "a.csv: no t among the columns s, x, u"),
    "a word": (_text("a.csv", "t,x,u\n0,0,1\n0,1,two\n"), (), "a.csv, line 3: u is 'two'"),
    "no uniform grid": (_changed("a.npz", _stretch), (), "the grid along x is not uniform: a step of"),
    "a gap, strong form": (
        _changed("a.npz", _set_gap),
        ("--form", "strong"),
        "not a number at 1 of 3200 points, first",
    ),
    "too few points": (_changed("a.npz", _shorten), (), "needs at least 24 points along every axis; t has 12"),
    "constant": (_changed("a.npz", _flatten), (), "u has the same value everywhere"),
    "complex": (_changed("a.npz", lambda arrays: arrays.update(u=arrays["u"] * 1j)), (), "u is complex; store"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_are_one_line(mechlearn: Callable, tmp_path: Path, case: str) -> None:
    make, options, message = BAD_DATA[case]
    outcome = mechlearn("equations", "discover", make(tmp_path), *options, "--out", tmp_path / "found.json")
    assert outcome.status == 2
    assert message in outcome.err.splitlines()[-1]
    assert outcome.out == ""
    assert not (tmp_path / "found.json").exists()


BAD_OPTIONS = {
    "an unknown kind": (("--quantity", "u=vectr"), "'vectr'; give one of scalar, pseudoscalar, vector"),
    "half a quantity": (
        ("--quantity", "vector"),
        "the option --quantity: found 'vector'; give NAME=…, such as v=vector",
    ),
    "one quantity twice": (("--quantity", "u=scalar", "--quantity", "u=vector"), "u is given twice"),
    "one direction": (("--quantity", "u=scalar"), "the axes x, t; it takes two or three of space"),
    "a group of nothing": (("--group", "cubic"), "the option --group needs to know what turns"),
    "a law of nothing": (("--law", "S", "--quantity", "S=vector"), "the law of S: of what?"),
    "a law undeclared": (("--law", "S"), "the law of S: say what it is, with --quantity S=vector"),
    "a law's order": (("--law", "S", "--order", 3), "the option --order is for fields"),
    "a law of no columns": (("--law", "u", "--quantity", "u=scalar", "--quantity", "w=scalar"), "there is no w among"),
    "a unit of nothing": (("--unit", "w=m"), "a unit is given for w, but the file has x, t, u"),
    "no unit": (("--unit", "u"), "the option --unit: found 'u'; give NAME=…, such as u=m/s"),
    "an unreadable unit": (("--unit", "u=m//2s"), "waves.csv: u: the unit 'm//2s' cannot be read"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_are_one_line(mechlearn: Callable, folder: Path, case: str) -> None:
    options, message = BAD_OPTIONS[case]
    outcome = mechlearn("equations", "discover", folder / "waves.csv", *options)
    assert outcome.status == 2
    assert message in outcome.err.splitlines()[-1]
    assert outcome.out == ""


def test_an_unknown_group_is_told_the_known_ones(mechlearn: Callable, crystal: Path) -> None:
    words = ("--quantity", "E=symmetric-tensor", "--quantity", "S=symmetric-tensor", "--law", "S", "--group", "round")
    outcome = mechlearn("equations", "discover", crystal, *words)
    assert outcome.status == 2
    assert "there is no 'round'; give one of isotropic (O(3))" in outcome.err.splitlines()[-1]


BAD_SIMULATIONS = {
    "no such file": ("missing.json", "a.npz", (), 2, "missing.json"),
    "no equations": ("none.json", "a.npz", (), 2, "none.json"),
    "another field": ("other.json", "a.npz", (), 2, "there is no field v among u"),
    "the past": ("right.json", "a.npz", ("--until", -1), 2, "the data begin at 0; give a later time"),
    "another ending": ("right.json", "a.csv", (), 2, "a.csv: fields are written as .npz"),
    "a blow-up": ("grows.json", "a.npz", (), 1, "u"),
}


@pytest.mark.parametrize("case", BAD_SIMULATIONS)
def test_a_simulation_that_cannot_be_is_one_line(mechlearn: Callable, folder: Path, tmp_path: Path, case: str) -> None:
    equations, out, options, status, message = BAD_SIMULATIONS[case]
    words = (folder / equations, folder / "waves.csv", "--out", tmp_path / out, *options)
    outcome = mechlearn("equations", "simulate", *words)
    assert outcome.status == status
    assert message in outcome.err.splitlines()[-1]
    assert outcome.out == ""
    assert not (tmp_path / out).exists()


def test_compare_names_the_file_whose_equations_do_not_fit(mechlearn: Callable, folder: Path) -> None:
    outcome = mechlearn("equations", "compare", folder / "waves.csv", folder / "right.json", folder / "other.json")
    assert outcome.status == 2
    assert f"comparing {folder / 'other.json'} with the data: the term v: there is no field v" in outcome.err
