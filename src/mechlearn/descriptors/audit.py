"""Is a feature a good one?  Five criteria, each measured on a structure, the loading turned along with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from jaxtyping import Float

from mechlearn.descriptors.descriptor import Descriptor
from mechlearn.errors import InputError
from mechlearn.evaluation.tables import NO_NUMBER, significant, text_table
from mechlearn.structures import StructureBatch

#: Numbers for each atom of a structure under a loading, r → (1 + γ L) r.
Features = Callable[[StructureBatch, Float[np.ndarray, "3 3"]], Float[np.ndarray, "atoms features"]]

#: A simple shear.
_SHEAR = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

#: For continuity atoms go so far, Å, in so many steps; the step that stands out is halved so often.
_PATH, _STEPS, _HALVINGS = 0.1, 16, 10

#: A step stands out if it changes a feature so many times more than the others do; a jump keeps this share of it.
_OUTSTANDING, _KEPT = 4.0, 0.3

#: The step of a derivative, Å.
_DIFFERENCE = 1e-4


#: A singular value below this share of the largest is one of a direction that features do not see.
_BLIND = 1e-7


@dataclass(frozen=True, eq=False)
class FeatureAudit:
    """What came of the criteria; errors are shares of a feature's deviation among atoms.

    Attributes
    ----------
    names : tuple of str
        Of the features.
    rotation, translation, permutation : (features,)
        (i) How much each changes as the structure is turned (loading and all), shifted, renumbered.
    jump : (features,)
        (ii) The largest change that stays as a motion of the atoms is made a thousand times smaller; 0 where none does
        on a way of 0.1 Å: a jump further off is not seen.
    seconds : float
        (iii) Of an atom.
    doubled : (features,)
        (iv) How much each changes as the periodic cell is repeated.
    directions : int or None
        (v) In how many directions all atoms can move, by little, without a feature of any atom changing, translations
        of all left out; None where this was not measured.
    tolerance : float
        Up to which an error passes.
    """

    names: tuple[str, ...]
    rotation: Float[np.ndarray, " features"]
    translation: Float[np.ndarray, " features"]
    permutation: Float[np.ndarray, " features"]
    jump: Float[np.ndarray, " features"]
    seconds: float
    doubled: Float[np.ndarray, " features"]
    directions: int | None
    tolerance: float

    @property
    def verdicts(self) -> dict[str, bool | None]:
        """Whether each criterion is met; None where there is no limit to hold it against, or nothing was measured."""
        return {
            "symmetry": not any(self.failing(name) for name in ("rotation", "translation", "permutation")),
            "continuity": not self.failing("jump"),
            "cost": None,
            "size": not self.failing("doubled"),
            "lossless": None if self.directions is None else self.directions == 0,
        }

    def failing(self, criterion: str) -> tuple[str, ...]:
        """The features that fail ``"rotation"``, ``"translation"``, ``"permutation"``, ``"jump"`` or ``"doubled"``."""
        errors = getattr(self, criterion)
        return tuple(name for name, error in zip(self.names, errors, strict=True) if error > self.tolerance)

    def __str__(self) -> str:
        words = {True: "yes", False: "no", None: NO_NUMBER}
        lines = {
            "(i) rotation, loading turned along": "rotation",
            "    translation": "translation",
            "    permutation": "permutation",
            "(ii) largest jump": "jump",
            "(iv) change in a doubled cell": "doubled",
        }
        rows = []
        for title, name in lines.items():
            failing = self.failing(name)
            rows.append([title, significant(float(getattr(self, name).max())), words[not failing], ", ".join(failing)])
        rows.insert(4, ["(iii) cost, ms an atom", significant(1e3 * self.seconds), NO_NUMBER, ""])
        blind = NO_NUMBER if self.directions is None else str(self.directions)
        rows.append(["(v) directions unseen", blind, words[self.verdicts["lossless"]], ""])
        return text_table(["criterion", "worst", "met", "failing"], rows)


def audit_features(
    features: Features | Descriptor,
    structure: StructureBatch,
    gradient: Float[np.ndarray, "3 3"] = _SHEAR,
    *,
    rng: np.random.Generator,
    names: tuple[str, ...] | None = None,
    tolerance: float = 1e-6,
    lossless: bool = False,
) -> FeatureAudit:
    """Apply five criteria of a good feature to any descriptor, or any function of a structure and a loading.

    (i) It keeps the symmetries of the problem, the loading turned along with the structure; (ii) it is continuous and
    differentiable; (iii) it is cheap; (iv) it means the same in systems of any size; (v) it is lossless: here, no small
    motion of the atoms leaves all features of all atoms as they are.

    Parameters
    ----------
    features
        A descriptor, or ``features(structure, gradient)`` that gives (atoms, features).
    structure
        A batch of one, disordered, periodic in all directions.
    gradient
        The loading's velocity gradient; a descriptor is not told of it.
    rng
        For the rotation, the shift, the order and the displacements.
    names
        Of the features; by default their numbers.
    tolerance
        Up to which an error passes, as a share of a feature's deviation among atoms.
    lossless
        Whether to measure (v), which takes six evaluations an atom.

    Raises
    ------
    InputError
        Not one periodic structure, or features that are not a table with a row an atom.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.descriptors import Bispectrum
    >>> atoms = bulk("W", a=3.2, cubic=True)
    >>> atoms.rattle(0.2, seed=1)
    >>> descriptor, structure = Bispectrum(("W",), cutoff=4.73, twojmax=2), StructureBatch.from_atoms([atoms])
    >>> audit = audit_features(descriptor, structure, rng=np.random.default_rng(0))
    >>> audit.verdicts["symmetry"], audit.verdicts["continuity"], audit.verdicts["size"]
    (True, True, True)
    """
    if len(structure) != 1 or not structure.periodic.all():
        raise InputError("feature audit: give one structure that is periodic in all directions")
    compute = _as_function(features)
    here = _table(compute, structure, gradient)
    scale = _scales(here)
    start = perf_counter()
    compute(structure, gradient)
    seconds = (perf_counter() - start) / structure.atoms

    turn = _rotation(rng)
    turned = replace(structure, positions=structure.positions @ turn.T, cells=structure.cells @ turn.T)
    shifted = replace(structure, positions=structure.positions + rng.normal(size=3))
    order = rng.permutation(structure.atoms)
    renumbered = replace(structure, positions=structure.positions[order], species=structure.species[order])
    twice = np.tile(here, (2, 1))
    return FeatureAudit(
        names=tuple(map(str, range(len(scale)))) if names is None else names,
        rotation=_error(_table(compute, turned, turn @ gradient @ turn.T), here, scale),
        translation=_error(_table(compute, shifted, gradient), here, scale),
        permutation=_error(_table(compute, renumbered, gradient), here[order], scale),
        jump=_jumps(compute, structure, gradient, scale, rng),
        seconds=seconds,
        doubled=_error(_table(compute, _doubled(structure), gradient), twice, scale),
        directions=_unseen_directions(compute, structure, gradient, scale) if lossless else None,
        tolerance=tolerance,
    )


def _as_function(features: Features | Descriptor) -> Features:
    """A descriptor as a function that takes no notice of the loading."""
    if isinstance(features, Descriptor):
        descriptor = features
        return lambda structure, _: descriptor.compute(structure)
    return features


def _table(
    compute: Features, structure: StructureBatch, gradient: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "atoms features"]:
    """The features, checked."""
    values = np.asarray(compute(structure, gradient), dtype=np.float64)
    if values.ndim != 2 or len(values) != structure.atoms or not np.isfinite(values).all():
        raise InputError(
            f"feature audit: the features have shape {values.shape} for {structure.atoms} atoms, or are not finite; "
            "give a row of numbers an atom"
        )
    return values


def _scales(values: Float[np.ndarray, "atoms features"]) -> Float[np.ndarray, " features"]:
    """The deviation of each feature among atoms; one that is the same for all has its size, or one."""
    deviations, sizes = values.std(axis=0), np.abs(values).max(axis=0)
    flat = deviations <= 1e-12 * np.maximum(sizes, 1e-300)
    return np.where(flat, np.where(sizes > 0.0, sizes, 1.0), deviations)


def _error(
    found: Float[np.ndarray, "atoms features"],
    expected: Float[np.ndarray, "atoms features"],
    scale: Float[np.ndarray, " features"],
) -> Float[np.ndarray, " features"]:
    """The largest difference of each feature among atoms, as a share of its scale."""
    return np.abs(found - expected).max(axis=0) / scale


def _rotation(rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """Any rotation."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat(rng.normal(size=4)).as_matrix()


def _jumps(
    compute: Features,
    structure: StructureBatch,
    gradient: Float[np.ndarray, "3 3"],
    scale: Float[np.ndarray, " features"],
    rng: np.random.Generator,
) -> Float[np.ndarray, " features"]:
    """The jump of each feature along a short straight way of all atoms, as a share of its scale."""
    way = rng.normal(size=structure.positions.shape)
    way *= _PATH / np.linalg.norm(way, axis=1).max()

    def at(share: float) -> Float[np.ndarray, "atoms features"]:
        return _table(compute, replace(structure, positions=structure.positions + share * way), gradient) / scale

    values = np.stack([at(step / _STEPS) for step in range(_STEPS + 1)])
    changes = np.abs(np.diff(values, axis=0))
    # In units of the usual change, of the atom or of all, and of 1e-9 so that rounding does not stand out.
    usual = np.maximum(np.median(changes, axis=0), np.median(changes, axis=(0, 1)))
    standing = changes / (_OUTSTANDING * usual + 1e-9)
    jumps = np.zeros(len(scale))
    for feature in np.flatnonzero(standing.max(axis=(0, 1)) > 1.0):
        step, atom = np.unravel_index(np.argmax(standing[:, :, feature]), standing.shape[:2])
        low, high = step / _STEPS, (step + 1) / _STEPS
        before, after = values[step, atom, feature], values[step + 1, atom, feature]
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            between = at(middle)[atom, feature]
            if abs(between - before) > abs(after - between):
                high, after = middle, between
            else:
                low, before = middle, between
        left = abs(after - before)
        jumps[feature] = left if left > _KEPT * changes[step, atom, feature] else 0.0
    return jumps


def _doubled(structure: StructureBatch) -> StructureBatch:
    """Two periods of the structure along its first lattice vector."""
    cells = structure.cells.copy()
    cells[:, 0] *= 2.0
    return StructureBatch.from_arrays(
        np.concatenate([structure.positions, structure.positions + structure.cells[0, 0]]),
        cells,
        np.tile(structure.species, 2),
        [2 * structure.atoms],
    )


def _unseen_directions(
    compute: Features,
    structure: StructureBatch,
    gradient: Float[np.ndarray, "3 3"],
    scale: Float[np.ndarray, " features"],
) -> int:
    """How many directions of motion change no feature of any atom, translations of all left out."""
    step = _DIFFERENCE
    columns = []
    for place in range(3 * structure.atoms):
        push = np.zeros(3 * structure.atoms)
        push[place] = step
        ends = [replace(structure, positions=structure.positions + sign * push.reshape(-1, 3)) for sign in (1.0, -1.0)]
        ahead, behind = (_table(compute, end, gradient) / scale for end in ends)
        columns.append(((ahead - behind) / (2.0 * step)).ravel())
    values = np.linalg.svd(np.array(columns), compute_uv=False)
    seen = int((values > _BLIND * values[0]).sum()) if values[0] > 0.0 else 0
    return max(3 * structure.atoms - 3 - seen, 0)
