"""The frame of a study: settings, stages, results on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from mechlearn.errors import InputError
from mechlearn.records import differences, plain, read_json, write_json
from mechlearn.studies import StudyConfig, StudyContext
from mechlearn.studies.configuration import override

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class SetConfig(BaseModel):
    """A table inside the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    structures: int = 10
    cutoff: float = 4.73


class NestedConfig(StudyConfig):
    """Settings with tables in them."""

    entropy: SetConfig = SetConfig()
    models: tuple[str, ...] = ("linear",)


def context(folder: Path, seed: int = 0, fingerprint: str = "a") -> StudyContext:
    return StudyContext(folder, seed, 1, None, fingerprint)


def test_tables_are_merged_key_by_key() -> None:
    config = override(NestedConfig(), {"entropy": {"structures": 5}}, source="my.toml")
    assert config.entropy == SetConfig(structures=5, cutoff=4.73)


def test_an_unknown_key_in_a_table_is_named_with_its_table() -> None:
    with pytest.raises(InputError, match=r"my\.toml: unknown key 'entropy\.cutof'; did you mean 'cutoff'\?"):
        override(NestedConfig(), {"entropy": {"cutof": 5.0}}, source="my.toml")


def test_settings_survive_toml(tmp_path: Path) -> None:
    import tomllib

    config = NestedConfig(seed=4, entropy=SetConfig(cutoff=0.1 + 0.2), models=("A1", "B1"))
    assert override(NestedConfig(), tomllib.loads(config.to_toml()), source="") == config


def test_the_fingerprint_sees_every_setting() -> None:
    prints = {
        config.fingerprint()
        for config in (NestedConfig(), NestedConfig(seed=1), NestedConfig(entropy=SetConfig(cutoff=4.8)))
    }
    assert len(prints) == 3


def test_differences_name_what_is_only_on_one_side() -> None:
    assert differences({"a": 1}, {"b": {"c": 2}}) == [
        "a is 1 there and absent here",
        "b is absent there and {'c': 2} here",
    ]


@given(JSON_VALUES)
def test_plain_values_are_json_and_stay_what_they_are(value: object) -> None:
    once = plain(value)
    assert json.loads(json.dumps(once, allow_nan=False)) == once == plain(once)


def test_arrays_and_numpy_numbers_are_plain() -> None:
    value = {"a": np.arange(2), "b": np.float64(np.inf), "c": np.array([0.5, np.nan]), "d": np.bool_(True)}
    assert plain(value) == {"a": [0, 1], "b": None, "c": [0.5, None], "d": True}


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no place in results"):
        plain({"a": object()})


def test_a_write_of_what_is_no_value_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_broken_json_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "toss.json"
    path.write_text('{"fingerprint": ')
    with pytest.raises(InputError, match="not JSON"):
        read_json(path)


def test_a_stage_runs_once_and_gives_the_same_values_again(tmp_path: Path) -> None:
    calls = []

    def work() -> dict[str, object]:
        calls.append(1)
        return {"rmse": np.float64(0.1), "order": float("nan"), "timesteps": (1, 2)}

    first = context(tmp_path).stage("nve", work)
    assert first == {"rmse": 0.1, "order": None, "timesteps": [1, 2]}
    assert context(tmp_path).stage("nve", work) == first
    assert len(calls) == 1


def test_a_stage_runs_again_for_other_settings_and_for_lost_files(tmp_path: Path) -> None:
    calls = []
    left = tmp_path / "set"

    def work() -> dict[str, object]:
        calls.append(1)
        left.mkdir(exist_ok=True)
        return {}

    context(tmp_path).stage("set", work, leaves=[left])
    context(tmp_path, fingerprint="b").stage("set", work, leaves=[left])
    left.rmdir()
    context(tmp_path, fingerprint="b").stage("set", work, leaves=[left])
    assert len(calls) == 3


def test_a_failed_stage_leaves_no_result(tmp_path: Path) -> None:
    def work() -> dict[str, object]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        context(tmp_path).stage("set", work)
    assert not list(tmp_path.rglob("*.json"))


@given(st.integers(0, 2**32), st.integers(0, 1000), st.integers(0, 1000))
def test_random_streams_depend_on_seed_and_index_alone(seed: int, one: int, other: int) -> None:
    draws = [context(Path("out"), seed).rng(index).integers(2**60) for index in (one, other, one)]
    assert draws[0] == draws[2]
    assert (draws[0] == draws[1]) == (one == other)


def test_results_with_nan_are_null_on_disk(tmp_path: Path) -> None:
    write_json(tmp_path / "results.json", {"a": float("nan")})
    assert (tmp_path / "results.json").read_text() == '{\n  "a": null\n}\n'
