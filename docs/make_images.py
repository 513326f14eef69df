"""Make the pictures of README and docs from a study's folder.

    .venv/bin/python docs/make_images.py demo-output
    .venv/bin/python docs/make_images.py docs/results/laptop-tungsten --out docs/images
    .venv/bin/python docs/make_images.py docs/results/laptop-glasses --out docs/results/laptop-glasses

The figures are those of the report, drawn anew from the folder's ``results.json`` and ``config.toml`` and
photographed by headless Chromium at twice the size.  Needs the extra ``report``, Pillow and Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageChops

from mechlearn.evaluation import RareEventScorecard, Scorecard, TransferMatrix
from mechlearn.report import (
    ConservationSeries,
    ModelPoint,
    StrainSeries,
    accuracy_against_size,
    energy_conservation,
    error_distributions,
    score_against_strain,
    score_bars,
    transfer_heatmap,
    width_bars,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH = 1000
SCALE = 2
MARGIN = 12 * SCALE

#: Models whose hits are drawn by the strain of the event: two networks, two rankings that learn nothing.
DRAWN = (
    "GAT on the paper's features",
    "growth of D²min alone",
    "imminence of an event alone",
    "GAT on the mechanism's features",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the pictures that ``results.json`` alone can give."""
    parser = argparse.ArgumentParser(description="Make the pictures of README and docs from a study's folder.")
    parser.add_argument("study", type=Path, help="the folder that `mechlearn study run` left")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images", help="where they go")
    options = parser.parse_args(arguments)
    results = json.loads((options.study / "results.json").read_text(encoding="utf-8"))
    config = tomllib.loads((options.study / "config.toml").read_text(encoding="utf-8"))
    options.out.mkdir(parents=True, exist_ok=True)
    for name, figure in FIGURES[config["study"]](results, config).items():
        path = options.out / name
        photograph(figure, path)
        print(f"{path}: {path.stat().st_size // 1024} kB")
    return 0


def transfer_figures(results: dict[str, Any], config: dict[str, Any]) -> dict[str, go.Figure]:
    """Those of the study of transferability."""
    matrices = shown_matrices(results, config["shown"])
    return {
        "transfer-matrix.png": transfer_heatmap(matrices),
        "error-distributions.png": error_distributions(matrices),
        "accuracy.png": accuracy_against_size(points(results)),
        "energy-conservation.png": energy_conservation(series(results, [matrix.title for matrix in matrices])),
        "widths.png": width_bars(
            np.array(results["diversity"]["widths"]),
            np.array([width for width in results["diversity"]["axis_widths"] if width is not None]),
            "entropy",
            "expert",
        ),
    }


def glass_figures(results: dict[str, Any], config: dict[str, Any]) -> dict[str, go.Figure]:
    """Those of the study of shear transformations."""
    return {
        "lift-larger.png": score_bars(RareEventScorecard.from_dict(results["larger"]["scorecard"])),
        "localisation.png": localisation_by_strain(results),
    }


def localisation_by_strain(size: dict[str, Any]) -> go.Figure:
    """How often the foremost atom is right, by the strain of the event."""
    bins = [row for row in size["by_strain"] if row["scorecard"] is not None]
    cards = [RareEventScorecard.from_dict(row["scorecard"]) for row in bins]
    edges = np.array([bins[0]["from"], *(row["to"] for row in bins)])
    series = [StrainSeries.of(cards, name, "localisation") for name in DRAWN]
    runs = np.array([card.runs for card in cards])
    return score_against_strain(series, edges, runs, "localisation", None, logarithmic=False)


def shown_matrices(results: dict[str, Any], families: Sequence[str]) -> list[TransferMatrix]:
    """The transfer matrices that the report shows: one a family, at D = 30, trained on energies alone if one is."""
    matrices = [TransferMatrix.from_dict(stored) for stored in results["transfer"]]
    shown = []
    for family in families:
        own = [matrix for matrix in matrices if matrix.title.startswith(f"{family}, D = 30")]
        own.sort(key=lambda matrix: "energies alone" not in matrix.title)
        shown += own[:1]
    return shown


def points(results: dict[str, Any]) -> list[ModelPoint]:
    """Every model on the held-out structures of its own set."""
    kinds = {"A": "A-type network", "B": "B-type network"}
    return [
        ModelPoint(
            row["name"],
            kinds.get(row["family"][0], row["family"])
            + (", energies alone" if row["trained_with"] == "energies" else ""),
            f"{row['trained_on']} set",
            row["parameters"],
            Scorecard.from_dict(row["scorecards"][row["trained_on"]])["energy RMSE"],
        )
        for row in results["models"]
    ]


def series(results: dict[str, Any], names: Sequence[str]) -> list[ConservationSeries]:
    """Energy conservation of the models named."""
    return [
        ConservationSeries(
            f"{row['model']}, {row['trained_on']}",
            np.array(row["timestep_fs"]),
            np.array([np.nan if value is None else value for value in row["deviation"]]),
            row["order"],
        )
        for row in results["nve"]
        if row["model"] in names and row["order"] is not None
    ]


FIGURES = {"transferability": transfer_figures, "shear_transformation": glass_figures}


def photograph(figure: go.Figure, path: Path) -> None:
    """Draw a figure in headless Chromium and save it as PNG, without the white around it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"making {path}: no browser found (looked for {', '.join(BROWSERS)})")
    height = int(figure.layout.height or 420)
    with tempfile.TemporaryDirectory() as folder:
        page, raw = Path(folder, "figure.html"), Path(folder, "figure.png")
        figure.update_layout(width=WIDTH)
        figure.write_html(page, include_plotlyjs=True, config={"staticPlot": True})
        subprocess.run(
            [
                browser,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={folder}/profile",
                f"--force-device-scale-factor={SCALE}",
                f"--window-size={WIDTH + 40},{height + 200}",
                "--virtual-time-budget=10000",
                f"--screenshot={raw}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
        trimmed(Image.open(raw).convert("RGB")).quantize(128).save(path, optimize=True)


def trimmed(picture: Image.Image) -> Image.Image:
    """The picture without its white rim, but for a narrow one."""
    white = Image.new("RGB", picture.size, "white")
    box = ImageChops.difference(picture, white).getbbox()
    if box is None:
        sys.exit("making a picture: the browser drew nothing; open the report to see whether its figures draw")
    left, top, right, bottom = box
    return picture.crop(
        (
            max(left - MARGIN, 0),
            max(top - MARGIN, 0),
            min(right + MARGIN, picture.width),
            min(bottom + MARGIN, picture.height),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
