"""A glass that can be turned: the atoms that took part in an event, and those that models put first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError
from mechlearn.report.style import FONT, INK, SOFT_INK, colour, faint, styled
from mechlearn.units import METAL, Units

#: More atoms than this that nobody points at are left out of a map.
_OTHERS_SHOWN: Final = 2000

#: The share of the atoms that a map shows as a model's foremost, and the fewest of them.
_FOREMOST_SHARE, _FOREMOST_FEWEST = 0.02, 10

#: The corners of a cell that each edge joins, in fractions of its vectors.
_EDGES: Final = tuple(
    (corner, tuple(1 if other == axis else digit for other, digit in enumerate(corner)))
    for corner in np.ndindex(2, 2, 2)
    for axis in range(3)
    if corner[axis] == 0
)


def glass_map(
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"],
    confidences: Mapping[str, Float[np.ndarray, " _"]],
    positive: Bool[np.ndarray, " atoms"],
    trigger: int = -1,
    *,
    d2min: Float[np.ndarray, " atoms"] | None = None,
    foremost: int | None = None,
    units: Units = METAL,
) -> go.Figure:
    """Draw a glass that can be turned: the atoms that took part, and those that a model put first.

    The periodic cell is moved so that the event is in its middle and not cut by a boundary.

    Parameters
    ----------
    positions
        Å.
    cell
        Lattice vectors as rows, Å; periodic along all three.
    confidences
        By model; a menu chooses between several.
    positive
        Which atoms took part.
    trigger
        The atom where the event began; -1 where that is not known.
    d2min
        Of each atom, Å², for the label that one sees on pointing at it.
    foremost
        How many atoms to show as a model's foremost; by default one in fifty, and at least 10.
    units
        Of the lengths.

    Raises
    ------
    InputError
        There is no model, or an array has not one number an atom.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> places = rng.uniform(0.0, 20.0, (500, 3))
    >>> figure = glass_map(places, 20.0 * np.eye(3), {"model": rng.random(500)}, np.arange(500) < 9, 4)
    >>> [trace.name for trace in figure.data if trace.showlegend is not False]
    ['other atoms', 'took part', 'trigger', 'foremost 10: model']
    """
    atoms = len(positions)
    lengths = {len(values) for values in (positive, *confidences.values(), *(() if d2min is None else (d2min,)))}
    if not confidences or lengths != {atoms}:
        raise InputError(
            f"drawing a map: {len(confidences)} models with arrays of {sorted(lengths)} numbers for {atoms} atoms; "
            "give at least one model, and one number an atom"
        )
    count = min(atoms, max(_FOREMOST_FEWEST, round(_FOREMOST_SHARE * atoms)) if foremost is None else foremost)
    ranks = {name: np.argsort(np.argsort(-values, kind="stable")) for name, values in confidences.items()}
    chosen = {name: np.flatnonzero(rank < count) for name, rank in ranks.items()}
    others = np.setdiff1d(np.arange(atoms), np.concatenate([np.flatnonzero(positive), *chosen.values()]))
    atoms_of = _MapAtoms(_centred(positions, cell, positive, trigger), confidences, ranks, d2min, units)
    figure = go.Figure([*_cell_edges(cell), _cell_labels(cell, units)])
    if 0 < len(others) <= _OTHERS_SHOWN:
        figure.add_trace(atoms_of.markers("other atoms", others, color=faint(SOFT_INK, 0.6), size=1.8))
    if positive.any():
        looks = {"color": colour(1), "symbol": "circle-open", "size": 9, "line": {"width": 3, "color": colour(1)}}
        figure.add_trace(atoms_of.markers("took part", np.flatnonzero(positive), **looks))
    if trigger >= 0:
        looks = {"color": INK, "symbol": "cross", "size": 9}
        figure.add_trace(atoms_of.markers("trigger", np.array([trigger]), **looks))
    first = len(figure.data)
    for index, (name, places) in enumerate(chosen.items()):
        # Dark and large is foremost: rank is told by lightness and by size.
        place = (ranks[name][places] / max(1, count - 1)).astype(np.float32)
        looks = {
            "color": place,
            "colorscale": [[0.0, "#08457E"], [0.4, "#2E86C9"], [1.0, "#A9CFEA"]],
            "cmin": 0,
            "cmax": 1,
            "symbol": "diamond",
            "size": 11.0 - 6.0 * place,  # sizes of their own are drawn at half the width of a common one
            "line": {"width": 0},
        }
        figure.add_trace(atoms_of.markers(f"foremost {count}: {name}", places, **looks))
        figure.data[-1].visible = True if index == 0 else "legendonly"
    if len(chosen) > 1:
        figure.update_layout(updatemenus=[_model_menu(tuple(chosen), first)])
    styled(figure, height=600)
    return _scene(figure)


@dataclass(frozen=True, eq=False)
class _MapAtoms:
    """The atoms of a map, and what is said of one on pointing at it."""

    positions: Float[np.ndarray, "atoms 3"]
    confidences: Mapping[str, Float[np.ndarray, " atoms"]]
    ranks: Mapping[str, Int[np.ndarray, " atoms"]]
    d2min: Float[np.ndarray, " atoms"] | None
    units: Units

    def markers(self, name: str, atoms: Int[np.ndarray, " chosen"], **looks: Any) -> go.Scatter3d:
        """Some atoms; single precision halves the page, and no one sees the difference."""
        columns, template = [atoms], "atom %{customdata[0]:d}"
        if self.d2min is not None:
            template += f"<br>D²min %{{customdata[{len(columns)}]:.3g}} {self.units.area}"
            columns.append(self.d2min[atoms])
        for model, values in self.confidences.items():
            place = len(columns)
            template += f"<br>{model}: %{{customdata[{place}]:.3g}}, rank %{{customdata[{place + 1}]:d}}"
            columns += [values[atoms], self.ranks[model][atoms] + 1]
        x, y, z = self.positions[atoms].astype(np.float32).T
        return go.Scatter3d(
            x=x,
            y=y,
            z=z,
            mode="markers",
            name=name,
            customdata=np.stack(columns, axis=1).astype(np.float32),
            marker=looks,
            showlegend=True,
            hovertemplate=f"<b>{name}</b><br>{template}<extra></extra>",
        )


def _centred(
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"],
    positive: Bool[np.ndarray, " atoms"],
    trigger: int,
) -> Float[np.ndarray, "atoms 3"]:
    """The atoms inside one cell whose middle is the trigger, or the middle of those that took part."""
    fractions = positions @ np.linalg.inv(cell)
    if trigger >= 0:
        middle = fractions[trigger]
    elif positive.any():
        # The mean of angles: the mean of fractions would depend on where the boundary is.
        middle = np.angle(np.exp(2j * np.pi * fractions[positive]).mean(axis=0)) / (2 * np.pi)
    else:
        middle = np.full(3, 0.5)
    return np.asarray(np.mod(fractions - middle + 0.5, 1.0) @ cell)


def _cell_edges(cell: Float[np.ndarray, "3 3"]) -> list[go.Scatter3d]:
    """The twelve edges as one broken line."""
    gap = np.full(3, np.nan)
    points = np.array([row for start, end in _EDGES for row in (start @ cell, end @ cell, gap)], dtype=np.float32)
    x, y, z = points.T
    line = {"color": SOFT_INK, "width": 1.5}
    return [go.Scatter3d(x=x, y=y, z=z, mode="lines", name="cell", line=line, hoverinfo="skip", showlegend=False)]


def _cell_labels(cell: Float[np.ndarray, "3 3"], units: Units) -> go.Scatter3d:
    """The lengths of the cell, each beside the middle of an edge that is in front at first."""
    beside = np.array([[0.5, -0.08, -0.05], [1.08, 0.5, -0.05], [-0.06, -0.06, 0.5]])
    x, y, z = (beside @ cell).astype(np.float32).T
    words = [f"{name} {np.linalg.norm(vector):.1f} {units.length}" for name, vector in zip("xyz", cell, strict=True)]
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        text=words,
        mode="text",
        name="cell vectors",
        textfont={"family": FONT, "size": 12, "color": SOFT_INK},
        hoverinfo="skip",
        showlegend=False,
    )


def _model_menu(names: Sequence[str], first: int) -> dict[str, Any]:
    """Choose which model's foremost atoms are shown; what else is shown stays."""
    traces = [first + place for place in range(len(names))]
    buttons = [
        {
            "label": name,
            "method": "restyle",
            "args": [{"visible": [True if place == index else "legendonly" for place in range(len(names))]}, traces],
        }
        for index, name in enumerate(names)
    ]
    return {
        "type": "dropdown",
        "buttons": buttons,
        "x": 0.99,
        "xanchor": "right",
        "y": 1.0,
        "yanchor": "top",
        "bgcolor": "white",
        "bordercolor": SOFT_INK,
        "font": {"size": 13},
    }


def _scene(figure: go.Figure) -> go.Figure:
    """Bare axes in true proportion; the legend beside the cell."""
    hidden = {"visible": False, "showspikes": False}
    figure.update_layout(
        scene={
            "domain": {"x": [0.15, 1.0], "y": [0.0, 1.0]},
            "xaxis": hidden,
            "yaxis": hidden,
            "zaxis": hidden,
            "aspectmode": "data",
            "camera": {"eye": {"x": 1.15, "y": -1.4, "z": 0.55}, "center": {"x": 0.0, "y": 0.0, "z": -0.08}},
            "dragmode": "orbit",
        },
        legend={
            "itemsizing": "constant",
            "orientation": "v",
            "y": 1.0,
            "yanchor": "top",
            "bgcolor": "rgba(0, 0, 0, 0)",
        },
        margin={"l": 0, "r": 0, "t": 40, "b": 0},
        meta={"max_width": 820},
    )
    return figure
