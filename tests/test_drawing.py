"""Small pictures: well-formed, escaped, told to screen readers, true to their numbers."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mechlearn.drawing import Bar, histogram, interval_bars

SVG = "{http://www.w3.org/2000/svg}"


def marks(picture: str, kind: str) -> list[ElementTree.Element]:
    """The elements of one kind, which takes a picture that is well-formed."""
    return ElementTree.fromstring(picture).findall(f"{SVG}{kind}")


def test_bars_are_as_long_as_their_values() -> None:
    bars = marks(interval_bars([Bar("a", 1.0, 0.5, 2.0), Bar("b", 0.5), Bar("c", float("nan"))], "t", "eV"), "rect")
    assert [float(bar.attrib["width"]) for bar in bars] == [160.0, 80.0]
    assert [bar.findtext(f"{SVG}title") for bar in bars] == ["a: 1 (0.5 to 2)", "b: 0.5"]


def test_a_histogram_holds_every_finite_value() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=500), [np.nan, np.inf]])
    bars = marks(histogram(values, "t", "eV"), "rect")
    counts = [int(str(bar.findtext(f"{SVG}title")).split(" from")[0]) for bar in bars]
    assert sum(counts) == 500
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights.index(max(heights)) == counts.index(max(counts))


@pytest.mark.parametrize(
    "picture", [histogram(np.ones(3), "<t>", "<l>"), interval_bars([Bar("<n>", 1.0)], "<t>", "<l>")]
)
def test_words_are_escaped_and_the_picture_has_a_title(picture: str) -> None:
    root = ElementTree.fromstring(picture)
    assert root.findtext(f"{SVG}title") == "<t>"
    assert root.attrib["role"] == "img"
    assert "<l>" in [text.text for text in root.findall(f"{SVG}text")]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_ticks_are_few_and_inside(values: list[float]) -> None:
    picture = histogram(np.array(values), "t", "eV")
    *ticks, _ = marks(picture, "text")
    assert 1 <= len(ticks) <= 7
    assert all(19.9 <= float(tick.attrib["x"]) <= 340.1 for tick in ticks)


def test_nothing_to_draw_is_no_picture() -> None:
    assert histogram(np.array([]), "t", "eV") == interval_bars([], "t", "eV") == ""
    assert len(marks(interval_bars([Bar("zero", 0.0)], "t", "eV"), "rect")) == 1
