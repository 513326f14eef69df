"""Behler and Parrinello's symmetry functions: how many neighbours stand where, and under which angles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any, Literal, NamedTuple

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float, Int

from mechlearn.descriptors.bispectrum import available_threads
from mechlearn.descriptors.descriptor import Pullback, check_shape
from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import NeighbourPairs, neighbour_pairs

#: The default set for glasses, in spacings of neighbours: the width of a shell and where shells begin and end; the
#: lengths at which angular functions fade, their ζ, and where they end.
_WIDTH, _FIRST_SHELL, _CUTOFF = 0.1, 0.7, 2.5
_FADING, _SHARPNESS, _ANGULAR_CUTOFF = (1.0, 2.0), (1.0, 2.0, 4.0, 16.0), 2.0


@dataclass(frozen=True)
class RadialFunction:
    """G2 = Σ_j exp(−η (r_ij − r_s)²) f_c(r_ij).

    Attributes
    ----------
    eta : float
        η, Å⁻².
    distance : float
        r_s, where the shell is, Å.
    """

    eta: float
    distance: float = 0.0


@dataclass(frozen=True)
class AngularFunction:
    """G4 = 2^(1−ζ) Σ_{j<k} (1 + λ cos θ_jik)^ζ exp(−η (r_ij² + r_ik² + r_jk²)) f_c(r_ij) f_c(r_ik) f_c(r_jk).

    G5 is the same without r_jk.

    Attributes
    ----------
    eta : float
        η, Å⁻².
    zeta : float
        ζ, at least 1: how sharp in the angle.
    lambda_ : float
        λ, from −1 to 1, as a rule one of these: whether straight or closed angles count.
    """

    eta: float
    zeta: float = 1.0
    lambda_: float = 1.0


class _Radial(NamedTuple):
    """Radial functions as the kernels take them."""

    etas: Float[np.ndarray, " radial"]
    centres: Float[np.ndarray, " radial"]
    cutoff: float


class _Angular(NamedTuple):
    """Angular functions as the kernels take them: distinct η and (ζ, λ), which of them each has, where a pair of
    elements begins."""

    etas: Float[np.ndarray, " etas"]
    zetas: Float[np.ndarray, " turns"]
    lambdas: Float[np.ndarray, " turns"]
    eta_of: Int[np.ndarray, " angular"]
    turn_of: Int[np.ndarray, " angular"]
    places: Int[np.ndarray, "elements elements"]
    cutoff: float
    third_side: bool


@dataclass(frozen=True)
class SymmetryFunctions:
    """Symmetry functions of the neighbours of each atom, one set for each of their elements and pairs of elements.

    The element of the atom itself does not enter.  First come the radial functions of neighbours of the first element,
    of the second, …; then the angular ones of pairs of neighbours, (first, first), (first, second), …; see
    :attr:`names`.  Every pair of neighbours counts once.

    Parameters
    ----------
    elements : tuple of str
        Chemical symbols.
    radial : tuple of RadialFunction
    angular : tuple of AngularFunction
    cutoff : float
        r_c of f_c = ½ (1 + cos(π r/r_c)) in the radial functions, Å.
    angular_cutoff : float or None
        In the angular ones, Å; by default the same.  Their cost grows with its sixth power.
    kind : {"G4", "G5"}
        Whether angular functions look at the distance between two neighbours, or at their angle alone.

    Raises
    ------
    InputError
        An element is unknown, a cutoff, η, ζ or λ out of range, or there is no function.

    References
    ----------
    Behler and Parrinello, Physical Review Letters 98, 146401 (2007); Behler, Journal of Chemical Physics 134, 074106
    (2011), for the names G2, G4 and G5.

    Examples
    --------
    >>> from ase.build import bulk
    >>> batch = StructureBatch.from_atoms([bulk("W", a=3.18)])
    >>> first_shell = SymmetryFunctions(("W",), (RadialFunction(4.0, 2.754),), cutoff=6.0)
    >>> first_shell.compute(batch).shape, first_shell.names
    ((1, 1), ('G2 W, η = 4, r = 2.754',))
    """

    elements: tuple[str, ...]
    radial: tuple[RadialFunction, ...] = ()
    angular: tuple[AngularFunction, ...] = ()
    cutoff: float = 6.0
    angular_cutoff: float | None = None
    kind: Literal["G4", "G5"] = "G4"

    def __post_init__(self) -> None:
        for name in ("elements", "radial", "angular"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        doing = "setting up symmetry functions"
        unknown = [element for element in self.elements if element not in atomic_numbers]
        if not self.elements or unknown or len(set(self.elements)) < len(self.elements):
            raise InputError(f"{doing}: the elements are {self.elements}; give chemical symbols, each once")
        if not self.radial and not self.angular:
            raise InputError(f"{doing}: there is no function; give radial or angular ones")
        for cutoff in (self.cutoff, self._angular_cutoff):
            if not (np.isfinite(cutoff) and cutoff > 0):
                raise InputError(f"{doing}: a cutoff is {cutoff} Å; give a positive number")
        if self.kind not in ("G4", "G5"):
            raise InputError(f"{doing}: the kind is {self.kind!r}; give 'G4' or 'G5'")
        for eta in [shell.eta for shell in self.radial] + [turn.eta for turn in self.angular]:
            if not (np.isfinite(eta) and eta >= 0):
                raise InputError(f"{doing}: an η is {eta} Å⁻²; give a number from 0 on")
        for turn in self.angular:
            if not (1 <= turn.zeta < np.inf and -1 <= turn.lambda_ <= 1):
                raise InputError(f"{doing}: ζ is {turn.zeta}, λ {turn.lambda_}; give ζ from 1 on, λ from −1 to 1")

    @classmethod
    def for_glass(
        cls, elements: Sequence[str], spacing: float = 2.7, *, angular: bool = True, kind: Literal["G4", "G5"] = "G4"
    ) -> SymmetryFunctions:
        """A set that resolves the structure of a glass: radial shells side by side, and angles in the first two shells.

        Shells exp(−(r − μ)²/L²) f_c have the width L of a tenth of the spacing and stand as far apart; they begin at
        0.7 spacings, for hardly two atoms are closer, and f_c ends at 2.5.  Angular functions fade at one and at two
        spacings, with ζ = 1, 2, 4, 16 and either λ, and end at two.

        Parameters
        ----------
        elements
            Chemical symbols.
        spacing
            Between neighbours, the first peak of the pair distribution, Å; 2.7 in Cu64Zr36.
        angular
            Whether with angular functions, which take most of the time.
        kind
            Of these.

        References
        ----------
        Cubuk, Schoenholz, Rieser, Malone, Rottler, Durian, Kaxiras and Liu, Physical Review Letters 114, 108001 (2015),
        in whose features, those of softness, the shells are; they have no f_c there.  Angular functions are chosen in
        the manner of Artrith and Behler, Physical Review B 85, 045439 (2012).

        Examples
        --------
        >>> SymmetryFunctions.for_glass(("Cu", "Zr")).features  # 18 shells of 2 elements, 16 of 3 pairs of them
        84
        """
        if not (np.isfinite(spacing) and spacing > 0):
            raise InputError(f"setting up symmetry functions: the spacing is {spacing} Å; give a positive number")
        count = round((_CUTOFF - _FIRST_SHELL) / _WIDTH)
        centres = [(_FIRST_SHELL + _WIDTH * place) * spacing for place in range(count)]
        turns = [
            AngularFunction(1.0 / (length * spacing) ** 2, zeta, lambda_)
            for length in _FADING
            for zeta in _SHARPNESS
            for lambda_ in (1.0, -1.0)
        ]
        return cls(
            elements=tuple(elements),
            radial=tuple(RadialFunction(1.0 / (_WIDTH * spacing) ** 2, centre) for centre in centres),
            angular=tuple(turns if angular else ()),
            cutoff=_CUTOFF * spacing,
            angular_cutoff=_ANGULAR_CUTOFF * spacing,
            kind=kind,
        )

    # ------------------------------------------------------------------ asking

    @property
    def features(self) -> int:
        """How many numbers an atom gets."""
        count = len(self.elements)
        return count * len(self.radial) + count * (count + 1) // 2 * len(self.angular)

    @property
    def names(self) -> tuple[str, ...]:
        """What each number is."""
        return (
            *(
                f"G2 {element}, η = {shell.eta:.4g}, r = {shell.distance:.4g}"
                for element in self.elements
                for shell in self.radial
            ),
            *(
                f"{self.kind} {one}–{other}, η = {turn.eta:.4g}, ζ = {turn.zeta:g}, λ = {turn.lambda_:g}"
                for one, other in combinations_with_replacement(self.elements, 2)
                for turn in self.angular
            ),
        )

    @property
    def reach(self) -> float:
        """The longest distance at which two atoms see each other, Å."""
        return max(self.cutoff if self.radial else 0.0, self._angular_cutoff if self.angular else 0.0)

    @property
    def _angular_cutoff(self) -> float:
        return self.cutoff if self.angular_cutoff is None else self.angular_cutoff

    # ------------------------------------------------------------------ computing

    def compute(self, batch: StructureBatch) -> Float[np.ndarray, "atoms features"]:
        """The functions of every atom.

        Raises
        ------
        InputError
            The batch holds an element that is not among ``elements``, or two atoms are in one place.
        """
        from mechlearn.descriptors.symmetry_function_kernels import compute_range

        kinds, pairs = self._kinds(batch), neighbour_pairs(batch, self.reach)
        out = np.empty((batch.atoms, self.features))
        self._run(compute_range, pairs, kinds, out)
        return out

    def pullback(self, batch: StructureBatch, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces and virials of an energy whose gradient ∂E/∂G is ``gradient``: f = −Σ_i g_i · ∂G_i/∂r.

        Raises
        ------
        InputError
            The gradient has another shape, or as :meth:`compute`.
        """
        from mechlearn.descriptors.bispectrum_drivers_kernels import forces_from_pairs
        from mechlearn.descriptors.symmetry_function_kernels import pullback_range

        check_shape("using symmetry functions", "gradient", gradient, (batch.atoms, self.features))
        kinds, pairs = self._kinds(batch), neighbour_pairs(batch, self.reach)
        pair_gradient = np.empty((len(pairs.second), 3))
        self._run(pullback_range, pairs, kinds, np.ascontiguousarray(gradient, dtype=np.float64), pair_gradient)
        forces, virials = np.zeros((batch.atoms, 3)), np.zeros((len(batch), 3, 3))
        forces_from_pairs(
            pairs.starts, pairs.second, pairs.vectors, batch.structure_of_atom, pair_gradient, forces, virials
        )
        return Pullback(forces, virials)

    def _kinds(self, batch: StructureBatch) -> Int[np.ndarray, " atoms"]:
        """The place of each atom's element in ``elements``."""
        strange = sorted(set(batch.elements) - set(self.elements))
        if strange:
            raise InputError(
                f"computing symmetry functions: the structures hold {', '.join(strange)}, the descriptor knows "
                f"{', '.join(self.elements)}; add the element or leave these structures out"
            )
        table = np.zeros(120, dtype=np.int64)
        table[[atomic_numbers[element] for element in self.elements]] = np.arange(len(self.elements))
        return table[batch.species]

    def _run(
        self, kernel: Callable[..., None], pairs: NeighbourPairs, kinds: Int[np.ndarray, " atoms"], *arguments: Any
    ) -> None:
        """Run a kernel over all atoms, by threads; no atom's numbers depend on how they are shared out."""
        lists = pairs.starts, pairs.second, pairs.vectors, pairs.distances

        def work(first: int, last: int) -> None:
            kernel(first, last, lists, kinds, *self._tables, *arguments)

        threads = min(available_threads(), len(kinds) // 32)
        if threads <= 1:
            work(0, len(kinds))
            return
        edges = np.linspace(0, len(kinds), 4 * threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, edges[:-1], edges[1:]))

    @cached_property
    def _tables(self) -> tuple[_Radial, _Angular]:
        """The functions as the kernels take them."""
        count = len(self.elements)
        etas = sorted({turn.eta for turn in self.angular})
        turns = sorted({(turn.zeta, turn.lambda_) for turn in self.angular})
        places = np.empty((count, count), dtype=np.int64)
        for number, (one, other) in enumerate(combinations_with_replacement(range(count), 2)):
            places[one, other] = places[other, one] = count * len(self.radial) + number * len(self.angular)
        return (
            _Radial(
                np.array([shell.eta for shell in self.radial], dtype=np.float64),
                np.array([shell.distance for shell in self.radial], dtype=np.float64),
                float(self.cutoff),
            ),
            _Angular(
                np.array(etas, dtype=np.float64),
                np.array([zeta for zeta, _ in turns], dtype=np.float64),
                np.array([lambda_ for _, lambda_ in turns], dtype=np.float64),
                np.array([etas.index(turn.eta) for turn in self.angular], dtype=np.int64),
                np.array([turns.index((turn.zeta, turn.lambda_)) for turn in self.angular], dtype=np.int64),
                places,
                float(self._angular_cutoff),
                self.kind == "G4",
            ),
        )
