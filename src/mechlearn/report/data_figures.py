"""Figures of data sets: energies, densities of descriptors, principal components, widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from mechlearn.errors import InputError
from mechlearn.report.style import SEQUENTIAL, SOFT_INK, colour, faint, linear_axis, log_axis, styled, symbol

#: More points than this are thinned evenly: an offline page of a few megabytes has to hold them all.
POINTS_SHOWN = 2500


def energy_distributions(energies: Mapping[str, Float[np.ndarray, " _"]], bins: int = 120) -> go.Figure:
    """Draw the distribution of energies of several sets on common bins.

    Parameters
    ----------
    energies
        For each set, energies in eV/atom; NaN is left out.
    bins
        Of equal width over the range of all sets.

    Raises
    ------
    InputError
        If a set has no energy.
    """
    known = {name: values[np.isfinite(values)] for name, values in energies.items()}
    for name, values in known.items():
        if len(values) == 0:
            raise InputError(f"drawing energies: the set {name!r} has no labelled energy; label it first")
    together = np.concatenate(list(known.values()))
    edges = np.histogram_bin_edges(together, bins)
    centres, width = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
    figure = go.Figure()
    heights = []
    for index, (name, values) in enumerate(known.items()):
        counts, _ = np.histogram(values, edges)
        density = counts / (len(values) * width)
        heights.append(density)
        figure.add_scatter(
            x=centres,
            # Where there is nothing the line falls below the axis: a logarithm has no zero.
            y=np.maximum(density, 1e-12),
            customdata=np.stack([counts, 100 * counts / len(values)], axis=1),
            name=f"{name} ({len(values):,})",
            mode="lines",
            hoveron="points",
            line={"color": colour(index), "width": 2, "shape": "hvh"},
            fill="tozeroy",
            fillcolor=faint(colour(index), 0.18),
            hovertemplate=(
                f"<b>{name}</b><br>%{{x:.3f}} eV/atom<br>%{{customdata[0]:,}} structures "
                "(%{customdata[1]:.2g}%)<extra></extra>"
            ),
        )
    figure.update_xaxes(linear_axis("energy per atom (eV/atom)"))
    logarithmic = log_axis(np.concatenate(heights), "probability density (atom/eV)")
    figure.update_yaxes(logarithmic)
    linear = [0, 1.05 * float(np.max(heights))]
    scales = [
        {"label": label, "method": "relayout", "args": [{"yaxis.type": kind, "yaxis.range": shown}]}
        for label, kind, shown in (("logarithmic", "log", logarithmic["range"]), ("linear", "linear", linear))
    ]
    figure.update_layout(
        updatemenus=[
            {
                "type": "buttons",
                "direction": "right",
                "buttons": scales,
                "x": 0.995,
                "xanchor": "right",
                "y": 0.98,
                "yanchor": "top",
                "font": {"size": 11},
                "bgcolor": "white",
            }
        ]
    )
    return styled(figure)


def descriptor_densities(
    sets: Mapping[str, Float[np.ndarray, "_ features"]],
    components: Sequence[int] = (0, 1, 2),
    names: Sequence[str] | None = None,
    bins: int = 70,
) -> go.Figure:
    """Draw the joint densities of three descriptors, one row of panels a set, colour on a logarithmic scale.

    Parameters
    ----------
    sets
        For each set, descriptors (atoms, features).
    components
        The three descriptors, drawn pair by pair.
    names
        What to call all descriptors; B1, B2, … where not given.
    bins
        Along each axis; axes are common to all sets and reach over 99.8% of each set's environments.
    """
    first, second, third = components
    pairs = ((first, second), (second, third), (first, third))
    labels = [f"B<sub>{index + 1}</sub>" for index in range(max(components) + 1)] if names is None else names
    figure = make_subplots(
        rows=len(sets),
        cols=3,
        row_titles=[f"<b>{name}</b>" for name in sets],
        horizontal_spacing=0.085,
        vertical_spacing=0.13 if len(sets) > 1 else 0,
    )
    panels: list[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]] = []
    for column, (one, other) in enumerate(pairs, start=1):
        edges = [_common_edges([rows[:, which] for rows in sets.values()], bins) for which in (one, other)]
        for row, values in enumerate(sets.values(), start=1):
            counts, _, _ = np.histogram2d(values[:, one], values[:, other], bins=edges)
            panels.append((row, column, edges[0], edges[1], counts.T / len(values)))
    occupied = np.concatenate([np.log10(share[share > 0]) for *_, share in panels])
    if len(occupied) == 0:
        raise InputError("drawing descriptor densities: no environment lies in the panels; give finite numbers")
    for row, column, across, along, share in panels:
        figure.add_heatmap(
            x=0.5 * (across[1:] + across[:-1]),
            y=0.5 * (along[1:] + along[:-1]),
            z=np.log10(np.where(share > 0, share, np.nan)).astype(np.float32),
            coloraxis="coloraxis",
            hoverongaps=False,
            hovertemplate="%{x:.3g}, %{y:.3g}<br>10<sup>%{z:.2f}</sup> of the environments<extra></extra>",
            row=row,
            col=column,
        )
    for column, (one, other) in enumerate(pairs, start=1):
        for row in range(1, len(sets) + 1):
            figure.update_xaxes(title_text=labels[one], title_standoff=4, row=row, col=column)
            figure.update_yaxes(title_text=labels[other], title_standoff=2, row=row, col=column)
    low, high = float(occupied.min()), float(occupied.max())
    ticks = list(range(int(np.ceil(low)), int(np.floor(high)) + 1))
    figure.update_layout(
        coloraxis={
            "colorscale": SEQUENTIAL,
            "cmin": low,
            "cmax": high,
            "colorbar": {
                "title": {"text": "share of environments in a bin", "side": "right"},
                "thickness": 12,
                "x": 1.05,
                "outlinewidth": 0,
                "tickvals": ticks,
                "ticktext": [f"10<sup>{tick}</sup>" for tick in ticks],
            },
        }
    )
    styled(figure, height=110 + 260 * len(sets))
    figure.update_xaxes(nticks=5, showgrid=False)
    figure.update_yaxes(nticks=5, showgrid=False)
    return figure


def _common_edges(columns: Sequence[Float[np.ndarray, " _"]], bins: int) -> Float[np.ndarray, " edges"]:
    """Even edges over the middle 99.8% of each set, so that one stray atom does not squeeze the rest."""
    ends = np.array([np.nanquantile(values, [0.001, 0.999]) for values in columns])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    margin = 0.02 * (high - low) or max(abs(low), 1.0) * 1e-6
    return np.linspace(low - margin, high + margin, bins + 1)


def principal_component_scatter(
    panels: Mapping[str, Mapping[str, Float[np.ndarray, "_ components"]]],
    explained: Mapping[str, Float[np.ndarray, " components"]] | None = None,
    order: Sequence[str] | None = None,
) -> go.Figure:
    """Draw sets along the first two principal components of one of them, one panel a frame.

    Parameters
    ----------
    panels
        For each panel's title, the sets and their coordinates (points, components); thinned where many.
    explained
        For each panel's title, the share of variance along each component, for the titles of the axes.
    order
        The sets in the order that gives them their colours; as they come where not given.
    """
    names = list(order or dict.fromkeys(name for sets in panels.values() for name in sets))
    figure = make_subplots(
        rows=1,
        cols=len(panels),
        subplot_titles=[f"<b>{title}</b>" for title in panels],
        horizontal_spacing=0.1,
    )
    for column, (title, sets) in enumerate(panels.items(), start=1):
        # The smaller set is drawn last, on top of the larger.
        for name in sorted(sets, key=lambda each: -float(np.ptp(sets[each][:, :2], axis=0).prod())):
            points = thinned(sets[name])
            index = names.index(name)
            figure.add_scatter(
                x=points[:, 0],
                y=points[:, 1],
                mode="markers",
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                marker={"color": faint(colour(index), 0.5), "size": 4, "symbol": symbol(index)},
                hovertemplate=f"<b>{name}</b><br>%{{x:.3g}}, %{{y:.3g}}<extra></extra>",
                row=1,
                col=column,
            )
        shares = None if explained is None else explained.get(title)
        for axis, update in enumerate((figure.update_xaxes, figure.update_yaxes)):
            share = "" if shares is None else f" ({100 * float(shares[axis]):.0f}% of variance)"
            update(title_text=f"component {axis + 1}{share}", row=1, col=column)
    styled(figure, height=460)
    figure.update_layout(legend={"y": 1.12, "itemsizing": "constant"}, margin={"t": 84})
    return figure


def thinned(points: Float[np.ndarray, "points _"], shown: int = POINTS_SHOWN) -> Float[np.ndarray, "shown _"]:
    """At most so many rows, evenly taken.

    Examples
    --------
    >>> thinned(np.arange(10.0)[:, None], shown=4)[:, 0].tolist()
    [0.0, 2.0, 5.0, 7.0]
    """
    if len(points) <= shown:
        return points
    return points[np.arange(shown) * len(points) // shown]


def width_bars(
    widths: Float[np.ndarray, " directions"],
    axis_widths: Float[np.ndarray, " features"] | None = None,
    other: str = "the other set",
    reference: str = "the reference",
) -> go.Figure:
    """Draw how many times as broad a set is as a reference, direction by direction, widest first.

    Parameters
    ----------
    widths : (directions,)
        Along the principal directions of the other set in the reference's whitened frame.
    axis_widths : (features,), optional
        Along the axes of that frame, drawn as marks beside the bars, widest first as well.
    other, reference
        The names of the two sets.
    """
    ordered = np.sort(widths)[::-1]
    shade = np.where(ordered >= 5, colour(0), np.where(ordered > 1, faint(colour(0), 0.5), colour(1)))
    figure = go.Figure()
    # Bars on a logarithmic axis begin at its lower end; from 1 they show broader up and narrower down.
    figure.add_bar(
        x=np.arange(1, len(ordered) + 1),
        y=ordered - 1,
        base=1,
        customdata=ordered,
        marker={"color": shade.tolist(), "line": {"width": 0}},
        name="principal directions",
        showlegend=axis_widths is not None,
        hovertemplate=(
            f"direction %{{x}}<br>{other} is <b>%{{customdata:.3g}}</b> times as broad as {reference}<extra></extra>"
        ),
    )
    shown = ordered
    if axis_widths is not None:
        axes = np.sort(axis_widths[np.isfinite(axis_widths)])[::-1]
        shown = np.concatenate([ordered, axes])
        figure.add_scatter(
            x=np.arange(1, len(axes) + 1),
            y=axes,
            mode="markers",
            name="along the descriptors' own (ZCA) axes",
            marker={"color": "white", "line": {"color": colour(6), "width": 1.3}, "size": 6},
            hovertemplate="ZCA axis, %{x} by width<br><b>%{y:.3g}</b> times as broad<extra></extra>",
        )
    for height, label in ((1, "as broad"), (5, "5 times")):
        figure.add_hline(y=height, line={"color": SOFT_INK, "width": 1, "dash": "solid" if height == 1 else "dot"})
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="left",
            y=np.log10(height),
            text=f" {label}",
            showarrow=False,
            font={"size": 11, "color": SOFT_INK},
        )
    figure.update_xaxes(title_text="direction, the widest first")
    figure.update_yaxes(log_axis(np.append(shown, [1.0, 5.0]), f"width of {other} / width of {reference}"))
    styled(figure)
    figure.update_layout(margin={"r": 72})
    return figure
