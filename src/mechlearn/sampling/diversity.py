"""Two sets of structures beside each other: energies, spread of environments, entropy of each structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from html import escape
from operator import add
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from mechlearn.descriptors.descriptor import Descriptor
from mechlearn.errors import InputError
from mechlearn.evaluation.diversity import (
    Diversity,
    Moments,
    PrincipalComponents,
    principal_components,
    structure_entropy,
    zca_comparison,
)
from mechlearn.evaluation.tables import html_table, significant, text_table
from mechlearn.structures import StructureBatch

#: Structures whose descriptors are held at once.
STRUCTURES_AT_ONCE = 1024


@runtime_checkable
class BatchSource(Protocol):
    """Structures that can be read in pieces, again and again, as a ``StructureSet`` can."""

    def batches(self, structures_per_batch: int = ...) -> Iterator[StructureBatch]:
        """The structures in order, in pieces."""
        ...


@dataclass(frozen=True, eq=False)
class SetProfile:
    """One set, seen through a descriptor.

    Attributes
    ----------
    name : str
    groups : (structures,) strings
    energies : (structures,)
        eV/atom; NaN where there is no label.
    entropies : (structures,)
        Entropy of each structure's environments, :func:`~mechlearn.evaluation.structure_entropy`.
    moments : Moments
        Of all its environments.
    sample : (environments, features)
        Descriptors of some environments, drawn evenly from all.
    sample_structures : (environments,)
        The structure that each of them belongs to.
    """

    name: str
    groups: tuple[str, ...]
    energies: Float[np.ndarray, " structures"]
    entropies: Float[np.ndarray, " structures"]
    moments: Moments
    sample: Float[np.ndarray, "environments features"]
    sample_structures: Int[np.ndarray, " environments"]

    @property
    def structures(self) -> int:
        """How many structures."""
        return len(self.groups)

    @property
    def atoms(self) -> int:
        """How many environments."""
        return self.moments.count

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; the energies and entropies by their quantiles 0, 5, 25, 50, 75, 95 and 100%."""
        return {
            "name": self.name,
            "structures": self.structures,
            "atoms": self.atoms,
            "energy_quantiles": _quantiles(self.energies),
            "entropy_quantiles": _quantiles(self.entropies),
        }


@dataclass(frozen=True, eq=False)
class SetComparison:
    """How two sets of structures differ.

    Attributes
    ----------
    first, second : SetProfile
    second_over_first : Diversity
        The second set's widths where the first has zero mean and unit covariance.
    first_over_second : Diversity
        The other way round.
    components_of_first : PrincipalComponents
        Fitted to the first set's sample, the second's projected.
    components_of_second : PrincipalComponents
        The other way round.
    """

    first: SetProfile
    second: SetProfile
    second_over_first: Diversity
    first_over_second: Diversity
    components_of_first: PrincipalComponents
    components_of_second: PrincipalComponents

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows, as text, of what both sets have."""
        profiles = (self.first, self.second)
        rows = [
            ["structures", *(f"{profile.structures:,}" for profile in profiles)],
            ["environments", *(f"{profile.atoms:,}" for profile in profiles)],
        ]
        for title, field in (("energy, eV/atom", "energies"), ("entropy", "entropies")):
            for word, index in (("5%", 1), ("median", 3), ("95%", 5)):
                values = (_quantiles(getattr(profile, field))[index] for profile in profiles)
                rows.append(
                    [
                        f"{title}, {word}",
                        *(significant(np.nan if value is None else value) for value in values),
                    ]
                )
        return ["", self.first.name, self.second.name], rows

    def sentences(self) -> tuple[str, str]:
        """Each set's breadth in the frame of the other, in words."""
        return (
            f"{self.second.name} in the frame of {self.first.name}: {self.second_over_first}.",
            f"{self.first.name} in the frame of {self.second.name}: {self.first_over_second}.",
        )

    def __str__(self) -> str:
        return "\n".join([text_table(*self.table()), "", *self.sentences()])

    def _repr_html_(self) -> str:
        paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.sentences())
        return html_table(*self.table(), caption="Two sets of structures") + paragraphs

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it, without the sampled environments."""
        return {
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "second_over_first": self.second_over_first.to_dict(),
            "first_over_second": self.first_over_second.to_dict(),
            "explained_by_components_of_first": _explained(self.components_of_first),
            "explained_by_components_of_second": _explained(self.components_of_second),
        }


def compare_sets(
    first: StructureBatch | BatchSource,
    second: StructureBatch | BatchSource,
    descriptor: Descriptor,
    *,
    names: tuple[str, str] = ("first", "second"),
    sample: int = 20_000,
    rng: np.random.Generator | None = None,
) -> SetComparison:
    """Compare the diversity of two sets of structures.

    Both sets are read twice, in pieces of 1,024 structures: once for the moments of their environments, which
    give covariances and one scale for all entropies (the standard deviations over both sets together), and
    once for the entropies and a sample of environments, on which the principal components rest.

    Parameters
    ----------
    first, second : StructureBatch, or StructureSet
        The sets; the first is the reference of :attr:`SetComparison.second_over_first`.
    descriptor : Descriptor
    names : two strings
        What to call the sets.
    sample : int
        The most environments of a set to keep for the principal components.
    rng : numpy.random.Generator, optional
        Draws them; seeded with 0 if left out.

    Raises
    ------
    InputError
        If a set is empty, or ``sample`` is not positive.

    References
    ----------
    Montes de Oca Zapiain et al. (2022), Fig. 2 and the text beside it.
    """
    if sample < 1:
        raise InputError(f"comparing sets: a sample of {sample} environments; give at least one")
    rng = np.random.default_rng(0) if rng is None else rng
    moments = [_moments(structures, descriptor, name) for structures, name in zip((first, second), names, strict=True)]
    spread = np.sqrt(np.diag(reduce(add, moments).covariance))
    scale = np.where(spread > 0, spread, 1.0)
    one, other = (
        _profile(structures, descriptor, name, own, scale, sample, rng)
        for structures, name, own in zip((first, second), names, moments, strict=True)
    )
    return SetComparison(
        first=one,
        second=other,
        second_over_first=zca_comparison(one.moments, other.moments),
        first_over_second=zca_comparison(other.moments, one.moments),
        components_of_first=principal_components(one.sample, other.sample),
        components_of_second=principal_components(other.sample, one.sample),
    )


def _pieces(structures: StructureBatch | BatchSource) -> Iterator[StructureBatch]:
    """A batch or a set, in pieces."""
    if not isinstance(structures, StructureBatch):
        yield from structures.batches(STRUCTURES_AT_ONCE)
        return
    for start in range(0, len(structures), STRUCTURES_AT_ONCE):
        yield structures.select(np.arange(start, min(start + STRUCTURES_AT_ONCE, len(structures))))


def _moments(structures: StructureBatch | BatchSource, descriptor: Descriptor, name: str) -> Moments:
    parts = [Moments.of(descriptor.compute(piece)) for piece in _pieces(structures) if piece.atoms]
    if not parts:
        raise InputError(f"comparing sets: {name} holds no atoms; give at least one structure")
    return reduce(add, parts)


def _profile(
    structures: StructureBatch | BatchSource,
    descriptor: Descriptor,
    name: str,
    moments: Moments,
    scale: Float[np.ndarray, " features"],
    sample: int,
    rng: np.random.Generator,
) -> SetProfile:
    """The second reading of a set."""
    chosen = np.sort(rng.choice(moments.count, size=min(sample, moments.count), replace=False))
    groups: list[str] = []
    energies, entropies, rows, owners = [], [], [], []
    passed = 0
    for piece in _pieces(structures):
        descriptors = descriptor.compute(piece)
        own = chosen[(chosen >= passed) & (chosen < passed + piece.atoms)] - passed
        rows.append(descriptors[own])
        owners.append(piece.structure_of_atom[own] + len(groups))
        energies.append(piece.energies_per_atom)
        entropies.append(structure_entropy(descriptors, piece.offsets, scale))
        groups.extend(piece.groups)
        passed += piece.atoms
    return SetProfile(
        name=name,
        groups=tuple(groups),
        energies=np.concatenate(energies),
        entropies=np.concatenate(entropies),
        moments=moments,
        sample=np.concatenate(rows),
        sample_structures=np.concatenate(owners),
    )


def _quantiles(values: Float[np.ndarray, " structures"]) -> list[float | None]:
    """The quantiles 0, 5, 25, 50, 75, 95 and 100% of the values that are there."""
    present = values[np.isfinite(values)]
    levels = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
    return [float(value) for value in np.quantile(present, levels)] if len(present) else [None] * len(levels)


def _explained(components: PrincipalComponents) -> dict[str, list[float]]:
    return {
        "own": [float(share) for share in components.explained],
        "other": [float(share) for share in components.explained_projected],
    }
