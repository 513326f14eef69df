"""Arrays on disk: exact, the same bytes, whole or refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

from mechlearn.errors import InputError, WorkError
from mechlearn.learning import load_arrays, save_arrays
from mechlearn.records import write_atomically


@given(
    array=hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.bool_]),
        hnp.array_shapes(min_dims=0, min_side=0),
    )
)
def test_any_array_comes_back_bit_for_bit(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = save_arrays(tmp_path_factory.mktemp("arrays") / "a.safetensors", {"a": array})
    back = load_arrays(path)[0]["a"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_in_the_metadata_come_back_bit_for_bit(value: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = save_arrays(tmp_path_factory.mktemp("metadata") / "a.safetensors", {}, {"value": [value]})
    assert load_arrays(path)[1]["value"][0].hex() == value.hex()


def test_views_are_saved_as_they_look(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(3, 4).T[::2]
    assert np.array_equal(load_arrays(save_arrays(tmp_path / "a", {"a": array}))[0]["a"], array)


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    arrays = {name: np.arange(3.0) for name in "badc"}
    files = [save_arrays(tmp_path / str(run), arrays, {"x": 1, "y": 2}) for run in range(3)]
    assert len({file.read_bytes() for file in files}) == 1


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = save_arrays(tmp_path / "a.safetensors", {"a": np.arange(100.0)})
    content = path.read_bytes()
    for length in (0, 4, 40, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"a.safetensors is cut short or is no safetensors file"):
            load_arrays(path)


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    save_file({"a": np.arange(3.0)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="was not written by mechlearn"):
        load_arrays(tmp_path / "other.safetensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing.safetensors is not there"):
        load_arrays(tmp_path / "nothing.safetensors")


def test_an_infinite_number_in_the_metadata_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_arrays(tmp_path / "a", {}, {"loss": float("inf")})


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomically(tmp_path / "a.txt", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkError, match=r"a.txt: No space left on device; free space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
