"""The site builds without a warning, and asks for nothing beyond itself."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Attributes by which a page would load something: scripts, styles, pictures, fonts.
_LOADED = re.compile(
    r'(?:<(?:script|img|iframe|source)[^>]*\ssrc|<link[^>]*\srel="(?:stylesheet|preconnect|preload)"[^>]*\shref)="(https?:[^"]+)"'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("mkdocstrings") is None:
        pytest.skip("mkdocs is not installed; pip install -c constraints.txt -e '.[docs]', or make docs")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert {url for page in pages for url in _LOADED.findall(page.read_text(encoding="utf-8"))} == set()


def test_equations_are_drawn_by_the_browser(site):
    page = (site / "explanation" / "bispectrum.html").read_text(encoding="utf-8")
    assert page.count("<math") > 10
    assert "arithmatex" not in page


def test_every_command_shows_its_help(site):
    page = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    for command in ("structures generate", "potential fit", "equations discover", "glass shear", "study run"):
        assert f"Usage: mechlearn {command}" in page


def test_every_public_name_has_an_entry(site):
    import mechlearn.descriptors
    import mechlearn.equations
    import mechlearn.glasses
    import mechlearn.interactions
    import mechlearn.potentials
    import mechlearn.sampling
    import mechlearn.structures

    for module in (
        mechlearn.descriptors,
        mechlearn.equations,
        mechlearn.glasses,
        mechlearn.interactions,
        mechlearn.potentials,
        mechlearn.sampling,
        mechlearn.structures,
    ):
        page = (site / "reference" / f"{module.__name__.rpartition('.')[2]}.html").read_text(encoding="utf-8")
        public = [name for name in module.__all__ if callable(getattr(module, name))]
        missing = [name for name in public if not re.search(rf'id="{module.__name__}(\.\w+)?\.{name}"', page)]
        assert missing == []
