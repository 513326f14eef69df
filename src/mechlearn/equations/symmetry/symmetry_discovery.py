"""Which symmetry does a law obey?  The smallest breaking that the data demand, with the evidence.

Every group has its complete library (``equivariants``), and the library of a subgroup holds that of the group: fewer
symmetries, more terms.  All are polynomials in the same monomials, so that the sums Zᵀ Z, Zᵀ y over blocks of samples
serve every group, every fold and every resample; the samples are gone through once.

A group is *adequate* when blocks left out are predicted as well as by the best group: its excess of squared error is
within so many standard errors (of the excess, block by block), or too small to matter.  The answer is the adequate
group with the fewest terms.  Resamples of blocks, each judged on the blocks it did not draw, tell how firm that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped
from scipy import sparse

from mechlearn.equations.equation import Coefficient, Equation, Term
from mechlearn.equations.search.regression import SparseFit, SparseSettings, sparse_regression
from mechlearn.equations.symmetry.equivariants import EquivariantLibrary, crystal_components, equivariant_library
from mechlearn.equations.symmetry.groups import SymmetryGroup, symmetry_groups
from mechlearn.equations.symmetry.law_moments import LawMoments, common_polynomials
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.equations.symmetry.symmetry_evidence import Comparison, SymmetryEvidence, SymmetrySettings
from mechlearn.equations.symmetry.tensor_words import latex_name
from mechlearn.errors import InputError

#: What is used unless told.
DEFAULTS = SymmetrySettings()


@dataclass(frozen=True, eq=False)
class SymmetryDiscovery:
    """The symmetry found, and the law within it.

    Attributes
    ----------
    group : str
        The adequate group with the fewest terms.
    evidence : tuple of SymmetryEvidence
        Of every group, from the fewest terms to the most.
    library : EquivariantLibrary
        The terms of the group found.
    fit : SparseFit
        The sparse regression among them.
    equation : Equation
        The law.
    """

    group: str
    evidence: tuple[SymmetryEvidence, ...]
    library: EquivariantLibrary
    fit: SparseFit
    equation: Equation

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the group, the evidence, the equation."""
        return {
            "group": self.group,
            "evidence": [asdict(row) for row in self.evidence],
            "equation": self.equation.to_dict(),
        }


def discover_symmetry(
    inputs: Mapping[Quantity, Float[np.ndarray, "samples ..."]],
    output: Quantity,
    values: Float[np.ndarray, "rows ..."],
    *,
    rng: np.random.Generator,
    degree: int = 2,
    highest: Mapping[str, int] | None = None,
    groups: Sequence[SymmetryGroup] | None = None,
    orientation: Float[np.ndarray, "d d"] | None = None,
    blocks: Shaped[np.ndarray, " rows"] | None = None,
    windows: sparse.csr_array | None = None,
    settings: SymmetrySettings = DEFAULTS,
) -> SymmetryDiscovery:
    """Find the symmetry that a law y = f(x₁, x₂, …) obeys, and the law.

    Parameters
    ----------
    inputs
        The values of every input: components (samples, components) or full tensors.
    output
        What the law gives.
    values
        The output at every sample.
    rng
        The source of random numbers.
    degree, highest
        The highest degree of a term, and of single inputs by name.
    groups
        The groups to choose from; all that are known unless told.
    orientation : (d, d)
        The crystal's axes as rows, in the axes of the data.
    blocks : (rows,)
        What belongs together (a trajectory, a specimen) is left out and drawn together.
    windows : (rows, samples)
        Weights of a weak form: the law is asked to hold for weighted sums, ``windows @ f(x) = values``.
    settings
        Blocks, folds, resamples, and what counts as adequate.

    Raises
    ------
    InputError
        If there are fewer data than terms, shapes do not match, or something is not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> strain = rng.normal(size=(200, 6))  # xx, yy, zz, yz, xz, xy
    >>> stress = 3.0 * strain[:, :3].sum(axis=1, keepdims=True) * [1, 1, 1, 0, 0, 0] + 2.0 * strain
    >>> stress += 0.1 * rng.normal(size=(200, 6))
    >>> found = discover_symmetry(
    ...     {Quantity("E", "symmetric tensor"): strain}, Quantity("S", "symmetric tensor"), stress, rng=rng, degree=1
    ... )
    >>> found.group, [c.term.name for c in found.equation.coefficients]
    ('isotropic', ['E', 'tr(E) I'])
    """
    quantities = tuple(inputs)
    named = {quantity.name: np.asarray(array, dtype=float) for quantity, array in inputs.items()}
    libraries, alike = distinct_libraries(
        quantities,
        output,
        symmetry_groups(output.dimension) if groups is None else groups,
        degree,
        highest,
        orientation,
    )
    frame = libraries[0].orientation
    target = output.components(np.asarray(values, dtype=float)) @ output.representation(frame).T
    points = crystal_components(quantities, named, frame)
    _check(points, target, libraries, windows)
    polynomial, polynomials = common_polynomials(libraries)
    moments = LawMoments.of_samples(points, target, polynomial, output.metric, blocks, windows, settings.blocks)
    compared = [library.group for library in libraries]
    evidence = Comparison(moments, polynomials, settings).evidence(compared, alike, rng)
    library = next(library for library, row in zip(libraries, evidence, strict=True) if row.adequate)
    fit = _sparse_law(library, named, values, blocks, windows, settings, rng)
    return SymmetryDiscovery(library.group.name, evidence, library, fit, _equation(library, fit))


def distinct_libraries(
    inputs: Sequence[Quantity],
    output: Quantity,
    groups: Sequence[SymmetryGroup],
    degree: int,
    highest: Mapping[str, int] | None = None,
    orientation: Float[np.ndarray, "d d"] | None = None,
) -> tuple[list[EquivariantLibrary], list[tuple[str, ...]]]:
    """The libraries of groups that differ in their terms, fewest terms first, and the names of groups alike to each.

    Raises
    ------
    InputError
        If there are no groups, or a library cannot be made.
    """
    if not groups:
        raise InputError("discovering a symmetry: there are no groups to choose from; give at least one")
    return fewest_first(
        [
            equivariant_library(inputs, output, group, degree, highest=highest, orientation=orientation)
            for group in groups
        ]
    )


@runtime_checkable
class _OfGroup(Protocol):
    """Terms that a group allows, be it between quantities or in an equation of fields."""

    @property
    def group(self) -> SymmetryGroup: ...

    def __len__(self) -> int: ...


_Library = TypeVar("_Library", bound=_OfGroup)


def fewest_first(libraries: Sequence[_Library]) -> tuple[list[_Library], list[tuple[str, ...]]]:
    """The libraries that differ in their terms, fewest terms first, and the names of the groups alike to each."""
    distinct: list[_Library] = []
    alike: list[tuple[str, ...]] = []
    for library in libraries:
        for place, other in enumerate(distinct):
            nested = other.group.contains(library.group) or library.group.contains(other.group)
            if len(other) == len(library) and nested:
                alike[place] = (*alike[place], library.group.name)
                break
        else:
            distinct.append(library)
            alike.append(())
    order = sorted(range(len(distinct)), key=lambda place: len(distinct[place]))
    return [distinct[place] for place in order], [alike[place] for place in order]


def _sparse_law(
    library: EquivariantLibrary,
    inputs: Mapping[str, Float[np.ndarray, "samples ..."]],
    values: Float[np.ndarray, "rows ..."],
    blocks: Shaped[np.ndarray, " rows"] | None,
    windows: sparse.csr_array | None,
    settings: SymmetrySettings,
    rng: np.random.Generator,
) -> SparseFit:
    """The few terms of the library that make the law."""
    components = len(library.output.indices)
    columns, target = library.columns(inputs), library.target(np.asarray(values, dtype=float))
    if windows is not None:
        by_sample = columns.reshape(-1, components * len(library))
        columns = np.asarray(windows @ by_sample).reshape(-1, len(library))
    rows = len(target) // components
    if blocks is None:
        blocks = np.arange(rows) * min(settings.blocks, rows) // rows
    return sparse_regression(
        columns,
        target,
        rng=rng,
        groups_of_samples=np.repeat(blocks, components),
        settings=SparseSettings(criterion=settings.criterion, resamples=settings.resamples),
        costs=np.full(len(library), 1.0 if windows is None else _overlap(windows)),
    )


def _overlap(windows: sparse.csr_array) -> float:
    """How many rows count for one independent row: n tr(K²)/tr(K)², K = W Wᵀ the covariance of sums over noise.

    Windows that overlap repeat the same noise; without this the information criterion would take it for evidence.
    """
    covariance = windows @ windows.T
    return float(windows.shape[0] * covariance.power(2).sum() / covariance.trace() ** 2)


def _equation(library: EquivariantLibrary, fit: SparseFit) -> Equation:
    output = library.output
    kept = np.flatnonzero(fit.support)
    terms = library.equation_terms()
    return Equation(
        Term(output.name, latex_name(output.name), output.unit),
        tuple(
            Coefficient(
                terms[place],
                float(fit.coefficients[place]),
                float(fit.low[place]),
                float(fit.high[place]),
                float(fit.probability[place]),
            )
            for place in kept
        ),
    )


def _check(
    points: Float[np.ndarray, "samples variables"],
    target: Float[np.ndarray, "rows components"],
    libraries: Sequence[EquivariantLibrary],
    windows: sparse.csr_array | None,
) -> None:
    samples = len(points) if windows is None else windows.shape[0]
    if samples != len(target):
        raise InputError(
            f"discovering a symmetry: {samples} samples of the inputs, {len(target)} of the output; give as many"
        )
    if windows is not None and windows.shape[1] != len(points):
        raise InputError(
            f"discovering a symmetry: windows over {windows.shape[1]} samples, but {len(points)} of the inputs; "
            "give one weight a sample"
        )
    for what, array in (("inputs", points), ("output", target)):
        if not np.isfinite(array).all():
            where = int(np.argwhere(~np.isfinite(array))[0][0])
            raise InputError(f"discovering a symmetry: the {what} are not finite at sample {where}; leave it out")
    most = max(libraries, key=len)
    if target.size < 2 * len(most):
        raise InputError(
            f"discovering a symmetry: {target.size} numbers of the output for the {len(most)} terms of the group "
            f"{most.group.name}; give at least twice as many, or lower the degree, or leave that group out"
        )
    if not np.any(target):
        raise InputError("discovering a symmetry: the output is zero throughout; there is no law to find")
