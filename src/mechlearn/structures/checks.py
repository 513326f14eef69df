"""Label checks: what in a set looks wrong, told with the groups and structures it concerns.

Nothing is changed or dropped here: a check can be mistaken, and what to do about it is the user's to decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Int

from mechlearn.structures.batch import StructureBatch
from mechlearn.structures.consistency import SIGNIFICANCE, Consistency, assess_consistency
from mechlearn.structures.environments import Surroundings, survey
from mechlearn.structures.findings import Finding, LabelReport, Severity

#: A pair of atoms nearer than this part of the sum of their covalent radii overlaps.
_OVERLAP: Final = 0.5
#: Mean invariants that differ by less than this part of their size belong to near-duplicates.
_DUPLICATE: Final = 1e-3
#: Sums of bond vectors below this are zero by symmetry, and so are the forces.
_SYMMETRIC: Final = 1e-3
#: An offset that has to be larger than this, eV/atom, to be told from none is not told of.
_UNTOLD: Final = 0.02
#: Ratios of units that are mistaken for each other, and the mistake: the likelier first, as some are close.
_SLIPS: Final = (
    (1e-3, "kbar given as bar"),
    (1e3, "bar given as kbar"),
    (1e-4, "GPa given as bar"),
    (1e4, "bar given as GPa"),
    (0.1, "GPa given as kbar"),
    (10.0, "kbar given as GPa"),
    (160.2177, "GPa given as eV/Å³"),
    (1 / 160.2177, "eV/Å³ given as GPa"),
    (1602.177, "kbar given as eV/Å³"),
    (1 / 1602.177, "eV/Å³ given as kbar"),
)


def check_labels(batch: StructureBatch) -> LabelReport:
    """Report what looks wrong in a batch: labels, units, offsets, overlaps and near-duplicates.

    Examples
    --------
    >>> from ase.build import bulk
    >>> print(check_labels(StructureBatch.from_atoms([bulk("W", a=3.18)])).findings[0].kind)
    missing_label
    """
    findings = [*_not_finite(batch), *_singular(batch), *_missing(batch)]
    usable = np.flatnonzero(_usable(batch))
    part = batch.select(usable)
    surroundings = survey(part)
    consistency = assess_consistency(part)
    local = [
        *_zero_labels(part, surroundings),
        *_overlaps(part, surroundings),
        *_near_duplicates(part, surroundings),
        *_stress_units(part, consistency),
        *_energy_offsets(part, consistency),
    ]
    findings += [
        Finding(each.kind, each.severity, each.groups, usable[each.structures], each.message) for each in local
    ]
    order: Sequence[Severity] = ("error", "warning", "note")
    offsets = {} if consistency is None else _offset_table(consistency)
    return LabelReport(
        len(batch), batch.atoms, tuple(sorted(findings, key=lambda each: order.index(each.severity))), offsets
    )


# ---------------------------------------------------------------------- numbers that are there or not


def _not_finite(batch: StructureBatch) -> Iterator[Finding]:
    """Infinite labels, positions that are not finite, and forces that only some atoms have."""
    forced = _all_atoms(batch, np.isfinite(batch.forces).all(axis=1))
    absent = _all_atoms(batch, np.isnan(batch.forces).all(axis=1))
    wrong = {
        "positions": ~_all_atoms(batch, np.isfinite(batch.positions).all(axis=1)),
        "energy": np.isinf(batch.energies),
        "forces": ~(forced | absent),
        "stress": ~(np.isfinite(batch.stresses).all(axis=1) | np.isnan(batch.stresses).all(axis=1)),
    }
    for label, mask in wrong.items():
        if mask.any():
            yield _finding(
                batch,
                "not_finite",
                "error",
                mask,
                f"{{count}} with {label} that are not finite, or not all there",
            )


def _singular(batch: StructureBatch) -> Iterator[Finding]:
    mask = ~_has_volume(batch)
    if mask.any():
        yield _finding(batch, "singular_cell", "error", mask, "{count} with a cell of no volume")


def _missing(batch: StructureBatch) -> Iterator[Finding]:
    """Labels that are absent (the reader of FitSNAP files makes nine zeros of a stress absent)."""
    masks = {
        "energy": np.isnan(batch.energies),
        "forces": _all_atoms(batch, np.isnan(batch.forces).all(axis=1)),
        "stress": np.isnan(batch.stresses).all(axis=1),
    }
    for label, mask in masks.items():
        if mask.any():
            yield _finding(
                batch,
                "missing_label",
                "note",
                mask,
                f"{{count}} without {label} (absent, or zeros that stand for it)",
            )


def _zero_labels(batch: StructureBatch, surroundings: Surroundings) -> Iterator[Finding]:
    """Zeros where a value is due: forces where symmetry forbids none, stresses zero to the last digit."""
    still = _all_atoms(batch, (batch.forces == 0).all(axis=1)) & (surroundings.asymmetry > _SYMMETRIC)
    relaxed = (batch.stresses == 0).all(axis=1)
    for label, mask in (("forces", still), ("stress", relaxed)):
        if mask.any():
            yield _finding(
                batch,
                "zero_label",
                "warning",
                mask,
                f"{{count}} with {label} of exactly zero, though nothing in the structure demands it: a missing label?",
            )


# ---------------------------------------------------------------------- geometry


def _overlaps(batch: StructureBatch, surroundings: Surroundings) -> Iterator[Finding]:
    mask = surroundings.closest_ratio < _OVERLAP
    if mask.any():
        least = surroundings.closest[mask].min()
        yield _finding(
            batch,
            "overlap",
            "warning",
            mask,
            f"{{count}} with atoms nearer than {_OVERLAP:g} of the sum of their covalent radii (nearest {least:.3f} Å)",
        )


def _near_duplicates(batch: StructureBatch, surroundings: Surroundings) -> Iterator[Finding]:
    """Structures whose mean invariants agree to 1e-3: copies, whatever their translation and rotation."""
    copies, originals = _copies(batch, surroundings)
    if not len(copies):
        return
    both = np.zeros(len(batch), dtype=bool)
    both[copies] = True
    gap = np.abs(batch.energies_per_atom[copies] - batch.energies_per_atom[originals])
    gap = gap[np.isfinite(gap)]
    apart = sum(batch.groups[copy] != batch.groups[first] for copy, first in zip(copies, originals, strict=True))
    tail = f"; their energies differ by up to {1e3 * gap.max():.2g} meV/atom" if len(gap) else ""
    across = f", {apart} of them in another group" if apart else ""
    yield _finding(
        batch,
        "near_duplicates",
        "warning",
        both,
        f"{{count}} that repeat an earlier one{across}: a random split puts copies on both sides{tail}",
    )


def _copies(
    batch: StructureBatch, surroundings: Surroundings
) -> tuple[Int[np.ndarray, " copies"], Int[np.ndarray, " copies"]]:
    """The structures that repeat an earlier one, and the first of their kind."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if len(batch) < 2:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    prints = surroundings.fingerprints
    size = np.sqrt((prints**2).mean(axis=0))
    elements = np.unique(batch.species)
    counts = np.stack(
        [np.bincount(batch.structure_of_atom[batch.species == kind], minlength=len(batch)) for kind in elements],
        axis=1,
    )
    # Other numbers of atoms set structures far apart, as a whole number is much larger than the tolerance.
    points = np.hstack([prints / np.where(size > 1e-9, size, np.inf), counts])
    pairs = cKDTree(points).query_pairs(_DUPLICATE, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(batch), len(batch)))
    _, family = connected_components(links, directed=False)
    _, first, member = np.unique(family, return_index=True, return_inverse=True)
    copies = np.flatnonzero(first[member] != np.arange(len(batch)))
    return copies, first[member][copies]


# ---------------------------------------------------------------------- labels against each other


def _stress_units(batch: StructureBatch, consistency: Consistency | None) -> Iterator[Finding]:
    """Groups whose labelled pressures are a constant factor away from those that the energies imply."""
    if consistency is None or not len(consistency.structures):
        if np.isfinite(batch.stresses).all(axis=1).any():
            yield _finding(
                batch,
                "not_checked",
                "note",
                np.isfinite(batch.stresses).all(axis=1),
                "units of stress not checked: too few energies or too many elements to foretell a pressure ({count})",
            )
        return
    labelled = -batch.stresses[consistency.structures, :3].mean(axis=1)
    owners = np.asarray(batch.groups, dtype=str)[consistency.structures]
    slipped: dict[str, list[tuple[str, float]]] = {}
    for group in dict.fromkeys(owners.tolist()):
        ratio = _common_ratio(labelled[owners == group], consistency.pressures[owners == group])
        if ratio is not None:
            slipped.setdefault(_slip(ratio), []).append((group, ratio))
    for slip, members in slipped.items():
        names = tuple(name for name, _ in members)
        mask = np.isin(np.asarray(batch.groups, dtype=str), names) & np.isfinite(batch.stresses).all(axis=1)
        ratios = ", ".join(f"{ratio:.2g}" for _, ratio in members)
        yield _finding(
            batch,
            "stress_units",
            "error",
            mask,
            f"{{count}} with stresses that are a constant factor from what the energies imply ({slip}; "
            f"ratios {ratios})",
        )


def _common_ratio(labelled: np.ndarray, implied: np.ndarray) -> float | None:
    """The ratio of labelled to implied pressure where it is constant and not 1, else None."""
    ratios = labelled / np.where(implied == 0, np.nan, implied)
    ratios = ratios[np.isfinite(ratios) & (ratios != 0)]
    if not len(ratios):
        return None
    # Structures near zero pressure have any ratio: the median and its deviation look past them.
    logarithms = np.log10(np.abs(ratios))
    centre = float(np.median(logarithms))
    deviation = float(np.median(np.abs(logarithms - centre)))
    positive = float((ratios > 0).mean())
    if deviation > 0.3 or 0.2 < positive < 0.8:
        return None
    least = 0.7 if len(ratios) > 2 else 1.5
    if abs(centre) < least and (positive > 0.5 or len(ratios) <= 2):
        return None
    return 10.0**centre * (1.0 if positive > 0.5 else -1.0)


def _slip(ratio: float) -> str:
    """The mistake that a ratio looks like."""
    if abs(np.log10(abs(ratio))) < 0.5:
        return "of the opposite sign: tension and compression exchanged"
    sign = " and of the opposite sign" if ratio < 0 else ""
    for factor, mistake in _SLIPS:
        if abs(np.log10(abs(ratio) / factor)) < 0.3:
            return f"about {factor:.4g} times{sign}, as {mistake}"
    return f"about {abs(ratio):.1g} times{sign}"


def _energy_offsets(batch: StructureBatch, consistency: Consistency | None) -> Iterator[Finding]:
    """Groups that carry a constant energy against the rest, and then also those of which nothing can be said."""
    owners = np.asarray(batch.groups, dtype=str)
    if consistency is None or not consistency.groups:
        if len(set(batch.groups)) > 1 and np.isfinite(batch.energies).any():
            yield _finding(
                batch,
                "not_checked",
                "note",
                np.isfinite(batch.energies),
                "energy offsets between groups not checked: too few energies or too many elements ({count})",
            )
        return
    table = _offset_table(consistency)
    for name in consistency.carriers:
        offset, error = table[name]
        yield _finding(
            batch,
            "energy_offset",
            "warning",
            owners == name,
            f"{{count}} whose energies lie {1e3 * offset:+.1f} ± {1e3 * error:.1f} meV/atom from what those "
            "of the other groups imply: another reference or another calculation?",
        )
    unsure = [name for name, (_, error) in table.items() if SIGNIFICANCE * error > _UNTOLD]
    unsure = [name for name in unsure if name not in consistency.carriers]
    if consistency.carriers and unsure:
        yield _finding(
            batch,
            "not_checked",
            "note",
            np.isin(owners, unsure),
            "energy offsets not checked in {count}: too unlike the rest to tell",
        )


def _offset_table(consistency: Consistency) -> dict[str, tuple[float, float]]:
    return {
        name: (float(offset), float(error))
        for name, offset, error in zip(consistency.groups, consistency.offsets, consistency.errors, strict=True)
    }


# ---------------------------------------------------------------------- wording and masks


def _finding(
    batch: StructureBatch, kind: str, severity: Severity, mask: Bool[np.ndarray, " structures"], message: str
) -> Finding:
    """A finding on the structures of a mask; ``{count}`` becomes their number and groups."""
    indices = np.flatnonzero(mask)
    counts = Counter(batch.groups[index] for index in indices)
    named = ", ".join(f"{name or '(no group)'} {count:,}" for name, count in counts.most_common(8))
    more = f" and {len(counts) - 8} more groups" if len(counts) > 8 else ""
    plural = "structure" if len(indices) == 1 else "structures"
    text = message.replace("{count}", f"{len(indices):,} {plural} ({named}{more})")
    return Finding(kind, severity, tuple(counts), indices, text)


def _all_atoms(batch: StructureBatch, mask: Bool[np.ndarray, " atoms"]) -> Bool[np.ndarray, " structures"]:
    """Whether the mask is true for every atom of a structure."""
    return np.bincount(batch.structure_of_atom[~mask], minlength=len(batch)) == 0


def _has_volume(batch: StructureBatch) -> Bool[np.ndarray, " structures"]:
    lengths = np.linalg.norm(batch.cells, axis=2).prod(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(batch.volumes > 1e-9 * np.maximum(lengths, 1e-300))


def _usable(batch: StructureBatch) -> Bool[np.ndarray, " structures"]:
    """Structures whose geometry can be looked at."""
    finite = _all_atoms(batch, np.isfinite(batch.positions).all(axis=1))
    return finite & _has_volume(batch) & (batch.sizes > 0)
