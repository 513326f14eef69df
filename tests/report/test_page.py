"""The page: self-contained, escaped, complete; its messages."""

import re
from datetime import datetime, timedelta

import numpy as np
import plotly.graph_objects as go
import pytest

from mechlearn.errors import InputError, WorkError
from mechlearn.report import Formula, Highlight, Picture, Report, Section, Table, Text, provenance
from report.sample import sample_report, sample_scorecard


@pytest.fixture(scope="module")
def page():
    return sample_report().html()


def without_scripts(html):
    return re.sub(r"<script.*?</script>", "", html, flags=re.S)


def test_plotly_is_inlined_once(page):
    assert page.count("* plotly.js v") == 1
    assert len(page) < 7e6


def test_nothing_is_fetched(page):
    outside = without_scripts(page)
    assert not re.search(r"""(src|href)=["'](?!#|data:,)""", outside)
    assert "url(" not in outside
    assert "<script src" not in page
    assert "default-src 'none'" in page


def test_every_text_is_escaped(page):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "liquid &lt;3000 K&gt;" in page


def test_a_figure_cannot_close_its_script():
    figure = go.Figure(go.Scatter(x=[1], y=[1], name="</script><script>alert(2)</script>"))
    html = Report("t", [], [Section("s", [Picture(figure, "c", 'a "quoted" one')])]).html()
    assert "<script>alert" not in html
    assert "\\u003c/script\\u003e" in html
    assert 'aria-label="a &#34;quoted&#34; one"' in html


def test_a_formula_is_mathematics_with_its_text_beside_it():
    formula = Formula('<math display="block"><mi>u</mi><mo>&lt;</mo><mn>1</mn></math>', "u < 1", "A <bound>")
    html = Report("t", [], [Section("s", [formula])]).html()
    assert '<math display="block"><mi>u</mi><mo>&lt;</mo><mn>1</mn></math>' in html
    assert 'aria-label="u &lt; 1"' in html
    assert "<code>u &lt; 1</code>" in html
    assert "A &lt;bound&gt;" in html


@pytest.mark.parametrize(
    "markup",
    [
        "<math><script>alert(3)</script></math>",
        "<math><mi onclick='alert(3)'>u</mi></math>",
        "<math><mi>u</math>",
        "<!DOCTYPE math [<!ENTITY a 'aaaa'>]><math>&a;</math>",
        "<math xmlns='http://www.w3.org/1999/xhtml'><img src='x'/></math>",
    ],
)
def test_what_is_no_mathematics_is_refused(markup):
    with pytest.raises(InputError, match="report formula 'u'"):
        Formula(markup, "u")


def test_what_a_browser_would_read_otherwise_is_written_anew():
    """An instruction ends where XML says; HTML would end it at the first bracket, and run the rest."""
    html = Report(
        "t", [], [Section("s", [Formula("<math><?x ><script>alert(4)</script>?><mi>u</mi></math>", "u")])]
    ).html()
    assert "<script>alert" not in html
    assert "<math><mi>u</mi></math>" in html


def test_contents_lead_to_every_section(page):
    anchors = re.findall(r'<li><a href="#([^"]+)">', page)
    assert anchors == ["summary", "section-1", "section-2", "section-3", "terms", "provenance"]
    for anchor in anchors:
        assert f'id="{anchor}"' in page


def test_summary_comes_before_all_figures(page):
    assert page.index("Yes: potentials") < page.index('id="figure-1"')


def test_figures_and_tables_are_numbered_through(page):
    figures = re.findall(r"<b>Figure (\d+)\.</b>", page)
    assert figures == [str(number) for number in range(1, len(figures) + 1)]
    assert len(figures) == page.count('class="drawing"') == 12
    tables = re.findall(r"<b>Table (\d+)\.</b>", page)
    assert tables == ["1", "2", "3", "4"]


def test_a_page_without_figures_carries_no_plotly():
    html = Report("t", ["s"], [Section("s", [Text("one", "two"), sample_scorecard(np.random.default_rng(0))])]).html()
    assert "plotly" not in html
    assert "<p>two</p>" in html
    assert "energy RMSE" in html
    assert "<nav" in html


def test_writing_is_whole_and_readable_by_others(tmp_path):
    path = Report("t", ["s"], [], highlights=[Highlight("4×", "worse")]).write(tmp_path / "deep" / "report.html")
    assert path.read_text(encoding="utf-8").endswith("</html>")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]


def test_a_folder_in_the_way_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkError, match=r"writing the report .*file/report.html: "):
        Report("t", [], []).write(tmp_path / "file" / "report.html")


def test_provenance_names_versions_and_time():
    start = datetime(2026, 1, 1)
    made = provenance("make demo", 3, start, start + timedelta(hours=2, minutes=3, seconds=4), {"cores": "2"})
    assert made["took"] == "2 h 3 min 4 s"
    assert made["cores"] == "2"
    assert "numpy " in made["versions"]
    assert "mechlearn " in made["versions"]


def test_a_figure_needs_its_words():
    with pytest.raises(InputError, match="the caption or the alternative text is empty"):
        Picture(go.Figure(), "", "a figure")


def test_a_short_row_is_named():
    with pytest.raises(InputError, match="report table 'orders': row 2 has 1 cells under 2 headings"):
        Table(["a", "b"], [["1", "2"], ["1"]], "orders")
