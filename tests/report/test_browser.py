"""A report opened in headless Chromium: it draws, answers mouse and keyboard, and asks for nothing."""

from contextlib import suppress

import pytest

import browser as driver
from report.sample import sample_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    path = sample_report().write(tmp_path_factory.mktemp("report") / "report.html")
    browser.open(path)
    browser.wait_for("document.querySelectorAll('.plot .main-svg').length >= 12")
    return browser


def test_every_figure_is_drawn_without_complaint(page):
    drawn = page.evaluate("[...document.querySelectorAll('.plot')].map(plot => plot._fullData.length > 0)")
    assert drawn == [True] * 12
    assert page.complaints == []


def test_nothing_is_asked_of_the_network(page):
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.requests == []
    # The page could not fetch even if a script in it tried to.
    assert page.evaluate("fetch('https://example.org').then(() => 'fetched', () => 'refused')") == "refused"
    page.events.clear()


@pytest.mark.parametrize(("figure", "words"), [(1, "eV/atom"), (5, "parameters"), (12, "fs")])
def test_hovering_shows_what_a_point_is(page, figure, words):
    assert words in label_of_highest_point(page, figure)


def label_of_highest_point(page, figure, tries=10):
    """What the mouse shows over the first curve's highest point; moved again where a busy page missed it."""
    label = f"document.querySelector('#figure-{figure} .hoverlayer .hovertext')?.textContent"
    for _ in range(tries):
        spot = page.evaluate(
            f"""(() => {{
                const plot = document.querySelector('#figure-{figure} .plot');
                plot.scrollIntoView({{block: 'center', behavior: 'instant'}});
                const series = plot._fullData[0], i = series.y.indexOf(Math.max(...series.y));
                const box = plot.getBoundingClientRect();
                const {{xaxis: x, yaxis: y}} = plot._fullLayout;
                const across = x._offset + x.d2p(series.x[i]), down = y._offset + y.d2p(series.y[i]);
                return {{x: box.left + across, y: box.top + down}};
            }})()"""
        )
        page.move_mouse(spot["x"] - 20, spot["y"])
        page.move_mouse(spot["x"], spot["y"])
        with suppress(AssertionError):
            return page.wait_for(label, seconds=3.0)
    raise AssertionError(f"no label over figure {figure} in {tries} tries")


def test_no_button_sends_data_away(page):
    buttons = page.evaluate(
        "[...document.querySelectorAll('#figure-1 .modebar-btn')].map(button => button.dataset.title)"
    )
    assert "Download the data as CSV" in buttons
    assert not [title for title in buttons if "hare" in title or "loud" in title]


@pytest.mark.parametrize("figure", range(1, 13))
def test_the_data_can_be_had(page, figure):
    text = page.evaluate(
        f"""(async () => {{
            let blob;
            const make = URL.createObjectURL, click = HTMLAnchorElement.prototype.click;
            URL.createObjectURL = (given) => {{ blob = given; return '#'; }};
            HTMLAnchorElement.prototype.click = () => {{}};
            document.querySelector('#figure-{figure} [data-title="Download the data as CSV"]').click();
            URL.createObjectURL = make;
            HTMLAnchorElement.prototype.click = click;
            return blob.text();
        }})()"""
    )
    lines = text.splitlines()
    assert lines[0] == "series,panel,x,y,z,text"
    assert len(lines) > 3
    assert "undefined" not in text
    assert "NaN" not in text


def test_contents_are_reached_by_keyboard(page):
    # The browser goes on from where the last click was, even after a blur: begin at the very top.
    page.evaluate(
        "(() => { const first = document.createElement('span'); first.tabIndex = -1; document.body.prepend(first);"
        "first.focus(); window.scrollTo({top: 0, behavior: 'instant'}); })()"
    )
    page.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    for _ in range(4):
        page.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "How they transfer"
    page.press("Enter")
    page.wait_for("location.hash === '#section-3'")
    page.wait_for("window.scrollY > 3000")


def test_nothing_runs_over_the_edge_of_a_narrow_screen(page):
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=False)
    try:
        page.wait_for("document.documentElement.scrollWidth <= 390")
    finally:
        page.call("Emulation.clearDeviceMetricsOverride")


def test_a_missing_browser_is_a_skip_here_and_a_failure_in_ci(monkeypatch):
    monkeypatch.setattr(driver, "NAMES", ("no-such-browser",))
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="no browser found"):
        driver.browser_executable()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        driver.browser_executable()
