"""Rare atoms: what each atom of a training set counts, so that the common ones do not drown them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from mechlearn.errors import InputError
from mechlearn.glasses.prediction.event_settings import ModelSettings


def refuse_one_class(positive: Bool[np.ndarray, " atoms"], threshold: float) -> None:
    """Refuse a training set from which nothing can be learnt.

    Raises
    ------
    InputError
        No atom is positive, or all are.
    """
    if not positive.any():
        raise InputError(
            f"learning where glasses yield: none of {len(positive):,} atoms has a D²min above {threshold:g} Å², so "
            "that all scores would be undefined; lower the threshold, or give runs in which an event came"
        )
    if positive.all():
        raise InputError(
            f"learning where glasses yield: all {len(positive):,} atoms have a D²min above {threshold:g} Å²; raise the "
            "threshold"
        )


def class_weights(positives: int, negatives: int, balance: float = 1.0) -> tuple[float, float]:
    """What a negative and a positive atom count, so that classes count 1 to ``balance`` and the mean atom counts 1.

    Parameters
    ----------
    positives, negatives
        How many there are.
    balance
        What all negative atoms count beside all positive ones.

    Examples
    --------
    >>> class_weights(positives=2, negatives=8)
    (0.625, 2.5)
    >>> class_weights(positives=2, negatives=8, balance=4.0)
    (1.0, 1.0)
    """
    atoms = positives + negatives
    return atoms * balance / ((1.0 + balance) * negatives), atoms / ((1.0 + balance) * positives)


def atom_weights(
    positive: Bool[np.ndarray, " atoms"], settings: ModelSettings, rng: np.random.Generator
) -> Float[np.ndarray, " atoms"]:
    """What each atom of a training set counts; the mean is 1.

    An atom that under-sampling leaves out counts 0; one that over-sampling repeats k times counts as k.  Such weights
    do to any loss that is a sum over atoms what leaving out and repeating would do.  A focal loss weights by itself.

    Parameters
    ----------
    positive
        Which atoms are.
    settings
        What is done about it, and the balance that is to come out.
    rng
        For drawing atoms.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    counts = np.ones(len(positive))
    if settings.imbalance == "weights":
        counts = np.array(class_weights(positives, negatives, settings.balance))[positive.astype(int)]
    elif settings.imbalance == "undersampling":
        kept = min(negatives, max(1, round(settings.balance * positives)))
        counts[~positive] = 0.0
        counts[rng.choice(np.flatnonzero(~positive), kept, replace=False)] = 1.0
    elif settings.imbalance == "oversampling":
        more = max(0, round(negatives / settings.balance) - positives)
        np.add.at(counts, rng.choice(np.flatnonzero(positive), more), 1.0)
    return counts / counts.mean()


def judging_weights(
    positive: Bool[np.ndarray, " atoms"], trained: Bool[np.ndarray, " trained_atoms"], settings: ModelSettings
) -> Float[np.ndarray, " atoms"]:
    """What each atom of a validation set counts: as its class did in training, nothing drawn.

    Parameters
    ----------
    positive
        Which atoms of the validation set are.
    trained
        Which atoms of the training set are.
    settings
        What was done there.
    """
    if settings.imbalance in ("none", "focal"):
        return np.ones(len(positive))
    each = class_weights(int(trained.sum()), int((~trained).sum()), settings.balance)
    return np.array(each)[positive.astype(int)]


def equal_runs(
    weights: Float[np.ndarray, " atoms"],
    positive: Bool[np.ndarray, " atoms"],
    offsets: Int[np.ndarray, " runs_and_one"],
) -> Float[np.ndarray, " atoms"]:
    """The weights, shared out among positive atoms so that those of every run together count the same.

    Events are of all sizes: one avalanche has as many positive atoms as a hundred small events, and would count as
    much as they do.

    Parameters
    ----------
    weights
        Of the atoms, run after run; what positive ones count together stays.
    positive
        Which atoms are.
    offsets
        Where the atoms of each run begin.

    Examples
    --------
    >>> truth = np.array([True, False, True, True, True])
    >>> equal_runs(np.ones(5), truth, np.array([0, 2, 5])).round(3).tolist()
    [2.0, 1.0, 0.667, 0.667, 0.667]
    """
    run = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    of_positive = np.where(positive, weights, 0.0)
    sums = np.bincount(run, of_positive, len(offsets) - 1)
    share = sums.sum() / np.count_nonzero(sums)
    return np.where(positive, weights * share / np.where(sums > 0.0, sums, 1.0)[run], weights)
