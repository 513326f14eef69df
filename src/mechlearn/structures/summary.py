"""What a set holds, group by group: how it shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float, Int

from mechlearn.drawing import histogram

_COLUMNS = ("group", "structures", "atoms", "energy, eV/atom")


def summary_html(
    heading: str,
    groups: Sequence[str],
    sizes: Int[np.ndarray, " structures"],
    energies_per_atom: Float[np.ndarray, " structures"],
) -> str:
    """A heading, a table of the groups in the order they occur in, and a histogram of the energies.

    Parameters
    ----------
    heading : str
        HTML, already escaped.
    groups, sizes, energies_per_atom
        Of each structure: its group, its number of atoms, its labelled energy (eV/atom, NaN where there is none).
    """
    names, first, owner = np.unique(np.asarray(groups, dtype=object), return_index=True, return_inverse=True)
    rows = []
    for index in np.argsort(first):
        own = owner == index
        energies = energies_per_atom[own & np.isfinite(energies_per_atom)]
        span = f"{energies.min():.3f} … {energies.max():.3f}" if len(energies) else "–"
        cells = (escape(names[index]) or "–", f"{own.sum():,}", f"{sizes[own].sum():,}", span)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    picture = histogram(energies_per_atom, "How often each energy occurs", "energy, eV/atom")
    return f"<p>{heading}</p>{table}{picture}"
