"""Splits of a set into training, validation and test: random, by whole groups, or by origin; all recorded.

A random split asks whether a model interpolates.  A split by group or by origin keeps related structures
together and asks whether it extrapolates, which is the harder question and usually the one meant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from mechlearn.errors import InputError
from mechlearn.structures.batch import StructureBatch


@dataclass(frozen=True, eq=False)
class Split:
    """Which structures train, validate and test, and how they were chosen.

    Attributes
    ----------
    train, validation, test : arrays of indices
        Sorted; no index is in two of them.
    method : str
        ``"random"``, ``"group"`` or ``"origin"``.
    held_out : tuple of str
        The groups or origins that form the test set; empty for a random split.
    seed : str
        The entropy and spawn key of the generator that chose, for the record.
    """

    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]
    method: str
    held_out: tuple[str, ...] = ()
    seed: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The split as plain lists and strings."""
        return {
            "method": self.method,
            "held_out": list(self.held_out),
            "seed": self.seed,
            "train": self.train.tolist(),
            "validation": self.validation.tolist(),
            "test": self.test.tolist(),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Split:
        """The split that :meth:`to_dict` wrote.

        Raises
        ------
        InputError
            Where a field is missing or an index is in two of the three.
        """
        try:
            parts = [np.asarray(record[part], dtype=np.int64) for part in ("train", "validation", "test")]
            method, held_out, seed = str(record["method"]), tuple(record["held_out"]), str(record["seed"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"reading a split: {error} is missing or not right; write the split again") from error
        together = np.concatenate(parts)
        if len(np.unique(together)) != len(together):
            raise InputError("reading a split: an index is in two of train, validation and test; write it again")
        return cls(parts[0], parts[1], parts[2], method=method, held_out=held_out, seed=seed)

    def to_json(self) -> str:
        """The split as JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Split:
        """The split that :meth:`to_json` wrote; :class:`InputError` where it is not one."""
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                f"reading a split: not complete JSON ({error.msg} at line {error.lineno}); write the split again"
            ) from error
        if not isinstance(record, dict):
            raise InputError(f"reading a split: found a {type(record).__name__}, not an object; write the split again")
        return cls.from_dict(record)


def split_random(
    structures: int | StructureBatch,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    *,
    rng: np.random.Generator,
) -> Split:
    """Split structures at random into training, validation and test.

    Parameters
    ----------
    structures : int or StructureBatch
        The structures, or how many there are.
    fractions : (train, validation, test)
        Each from 0 to 1, adding up to 1.  The default is that of Montes de Oca Zapiain et al. (2022).
    rng : numpy.random.Generator
        Chooses.

    Raises
    ------
    InputError
        Where the fractions do not add up to 1, or there are too few structures for a part that was asked for.

    Examples
    --------
    >>> split = split_random(10, rng=np.random.default_rng(0))
    >>> len(split.train), len(split.validation), len(split.test)
    (7, 1, 2)
    """
    count = structures if isinstance(structures, int) else len(structures)
    if min(fractions) < 0 or not np.isclose(sum(fractions), 1.0):
        raise InputError(f"splitting: the fractions are {fractions}; give three numbers ≥ 0 that add up to 1")
    sizes = _shares(count, fractions)
    shuffled = rng.permutation(count)
    train, validation, test = (np.sort(part) for part in np.split(shuffled, np.cumsum(sizes)[:-1]))
    return Split(train, validation, test, method="random", seed=_seed_of(rng))


def split_by_group(
    batch: StructureBatch,
    held_out: float | Sequence[str] = 0.2,
    *,
    validation: float = 0.1,
    rng: np.random.Generator,
) -> Split:
    """Hold out whole groups for the test; the validation set is drawn at random from the rest.

    Parameters
    ----------
    batch : StructureBatch
        The structures.
    held_out : float or sequence of str
        The groups to hold out, or the share of all structures that groups chosen at random should come near
        to.
    validation : float
        The share of all structures to validate on.
    rng : numpy.random.Generator
        Chooses.

    Raises
    ------
    InputError
        Where a group is not there, there are fewer than two, or nothing is left to train on.

    Examples
    --------
    >>> from ase.build import bulk
    >>> batch = StructureBatch.concatenate(
    ...     [StructureBatch.from_atoms([bulk("W")] * 4, group=group) for group in ("bcc", "surface")]
    ... )
    >>> split_by_group(batch, ["surface"], validation=0.0, rng=np.random.default_rng(0)).test.tolist()
    [4, 5, 6, 7]
    """
    return _split_by(batch.groups, "group", held_out, validation, rng)


def split_by_origin(
    batch: StructureBatch,
    held_out: float | Sequence[str] = 0.2,
    *,
    validation: float = 0.1,
    rng: np.random.Generator,
) -> Split:
    """Hold out whole origins (codes, files, generators) for the test; else as :func:`split_by_group`."""
    return _split_by(batch.origins, "origin", held_out, validation, rng)


def _split_by(
    keys: Sequence[str],
    method: str,
    held_out: float | Sequence[str],
    validation: float,
    rng: np.random.Generator,
) -> Split:
    names, counts = np.unique(np.asarray(keys, dtype=str), return_counts=True)
    if len(names) < 2:
        raise InputError(
            f"splitting by {method}: the set has {len(names)} of them; name at least two, or split at random"
        )
    seed = _seed_of(rng)
    if isinstance(held_out, int | float):
        chosen = _draw(names, counts, float(held_out), rng)
    else:
        chosen = tuple(dict.fromkeys([held_out] if isinstance(held_out, str) else held_out))
        unknown = [name for name in chosen if name not in names]
        if unknown or not chosen:
            raise InputError(
                f"splitting by {method}: {unknown[0] if unknown else 'nothing'!r} is not in the set; choose "
                f"from {', '.join(names)}"
            )
    in_test = np.isin(np.asarray(keys, dtype=str), chosen)
    rest = rng.permutation(np.flatnonzero(~in_test))
    wanted = round(validation * len(keys))
    if not 0 <= validation < 1 or len(rest) <= wanted:
        raise InputError(
            f"splitting by {method}: {len(rest)} structures are left beside the test set, {wanted} of them "
            "to validate on; hold out or validate on fewer"
        )
    return Split(
        np.sort(rest[wanted:]),
        np.sort(rest[:wanted]),
        np.flatnonzero(in_test),
        method=method,
        held_out=chosen,
        seed=seed,
    )


def _draw(
    names: np.ndarray, counts: Int[np.ndarray, " names"], fraction: float, rng: np.random.Generator
) -> tuple[str, ...]:
    """Names in random order, each taken where it brings the total nearer to the share asked for."""
    if not 0 < fraction < 1:
        raise InputError(f"splitting: the share to hold out is {fraction}; give a number between 0 and 1")
    target = fraction * counts.sum()
    taken: list[int] = []
    total = 0
    for index in rng.permutation(len(names)):
        if abs(total + counts[index] - target) < abs(total - target) and len(taken) < len(names) - 1:
            taken.append(int(index))
            total += counts[index]
    if not taken:
        taken = [int(np.argmin(counts))]
    return tuple(str(names[index]) for index in sorted(taken))


def _shares(count: int, fractions: tuple[float, float, float]) -> list[int]:
    """Whole numbers in these proportions that add up to ``count``, none of them 0 unless its fraction is."""
    exact = np.asarray(fractions) * count
    sizes = np.floor(exact).astype(int)
    # What rounding down left over goes to the largest remainders.
    for index in np.argsort(sizes - exact, kind="stable")[: count - sizes.sum()]:
        sizes[index] += 1
    for index in range(3):
        if fractions[index] > 0 and sizes[index] == 0:
            sizes[index] += 1
            sizes[np.argmax(sizes)] -= 1
    if (sizes < 0).any() or any(share > 0 and size == 0 for share, size in zip(fractions, sizes, strict=True)):
        raise InputError(
            f"splitting: {count} structures are too few for the fractions {fractions}; give more, or set a "
            "fraction to 0"
        )
    return [int(size) for size in sizes]


def _seed_of(rng: np.random.Generator) -> str:
    sequence = rng.bit_generator.seed_seq
    entropy = getattr(sequence, "entropy", "")
    key = getattr(sequence, "spawn_key", ())
    return f"{entropy}" + (f"/{'/'.join(map(str, key))}" if key else "")
