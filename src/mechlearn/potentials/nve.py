"""Energy conservation in LAMMPS: the deviation of the total energy as a function of the timestep.

A velocity-Verlet trajectory of a smooth potential conserves a Hamiltonian that differs from H by terms of
second order in the timestep, so the mean deviation of H grows as δt².  Steps and kinks in the energy, or
forces that are not its gradient, show as another order, as a drift, or as atoms that fly apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers, reference_states
from jaxtyping import Bool, Float

from mechlearn.engines.lammps import lammps_errors
from mechlearn.errors import InputError, MechlearnError
from mechlearn.interactions import Potential
from mechlearn.potentials.lammps_run import atoms_of, lammps_with
from mechlearn.units import BOLTZMANN

#: Timesteps of the test, fs: the paper's range up to the end of the asymptotic one.
TIMESTEPS_FS = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)

#: A run in which the total energy moves by more than this is unstable, eV/atom.
_LARGEST_DEVIATION = 1.0

#: A structure this many times hotter than its thermostat flew apart; 16 atoms fluctuate by a fifth.
_HOTTEST = 3.0


@dataclass(frozen=True)
class NveProtocol:
    """How the trajectories are made and which of them count for the order.

    Attributes
    ----------
    temperature : float
        Of the equilibration, K.
    duration_ps : float
        Of every trajectory, whatever its timestep, ps.
    samples : int
        Energies taken along a trajectory, at most one a step.
    equilibration_ps, equilibration_timestep_fs, damping_ps : float
        Langevin dynamics from the perfect crystal to the one initial state of all trajectories.
    largest_timestep_fs : float
        Longer timesteps are outside the asymptotic range and do not count for the order.
    smallest_deviation : float
        Smaller deviations are round-off and do not count for the order, eV/atom.
    """

    temperature: float = 3000.0
    duration_ps: float = 7.5
    samples: int = 1000
    equilibration_ps: float = 2.0
    equilibration_timestep_fs: float = 1.0
    damping_ps: float = 0.1
    largest_timestep_fs: float = 10.0
    smallest_deviation: float = 1e-9

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"testing energy conservation: {name} is {value}; give a positive number")

    @property
    def rule(self) -> str:
        """In words, which trajectories count for the order."""
        return (
            f"stable runs with a timestep of at most {self.largest_timestep_fs:g} fs "
            f"and a deviation of at least {self.smallest_deviation:g} eV/atom"
        )


@dataclass(frozen=True, eq=False)
class NveResult:
    """The deviation of the total energy at each timestep, and its order.

    Attributes
    ----------
    timesteps_fs : (timesteps,)
        fs.
    deviation : (timesteps,)
        ΔH(δt) = (1/nN) Σ_i |H(t_i; δt) − H(t_0)|, eV/atom; NaN where the run was unstable.
    temperatures : (timesteps,)
        The mean temperature of each trajectory, K.
    reasons : tuple of str
        Why a run was unstable; empty where it was stable.
    counted : (timesteps,)
        Which runs count for the order, by the protocol's rule.
    order : float
        The slope of ln ΔH against ln δt; NaN with fewer than two runs that count.
    interval : (low, high)
        Its 95% interval, from the residuals of the fit (Student's t); NaN with fewer than three.
    protocol : NveProtocol
        How the runs were made.
    """

    timesteps_fs: Float[np.ndarray, " timesteps"]
    deviation: Float[np.ndarray, " timesteps"]
    temperatures: Float[np.ndarray, " timesteps"]
    reasons: tuple[str, ...]
    counted: Bool[np.ndarray, " timesteps"]
    order: float
    interval: tuple[float, float]
    protocol: NveProtocol

    @property
    def stable(self) -> bool:
        """Whether every run was stable whose timestep is in the rule's range; longer ones need not be."""
        ruled = self.timesteps_fs <= self.protocol.largest_timestep_fs
        return not any(reason for reason, counts in zip(self.reasons, ruled, strict=True) if counts)

    @property
    def rule(self) -> str:
        """In words, which runs count for the order."""
        return self.protocol.rule

    @property
    def reason(self) -> str:
        """The first reason of instability, empty where there is none."""
        return next((reason for reason in self.reasons if reason), "")

    def as_dict(self) -> dict[str, object]:
        """For JSON; what is not a number becomes None."""

        def plain(value: float) -> float | None:
            return float(value) if np.isfinite(value) else None

        return {
            "timestep_fs": [float(step) for step in self.timesteps_fs],
            "deviation": [plain(value) for value in self.deviation],
            "temperature": [plain(value) for value in self.temperatures],
            "order": plain(self.order),
            "order_interval": [plain(bound) for bound in self.interval],
            "order_rule": self.rule,
            "counted": [bool(value) for value in self.counted],
            "stable": self.stable,
            "reasons": list(self.reasons),
            "unit": "eV/atom",
        }


@dataclass(frozen=True, eq=False)
class _Trajectory:
    """Total energies per atom (eV) and temperatures (K) along a run, or why there are none."""

    energies: Float[np.ndarray, " samples"]
    temperatures: Float[np.ndarray, " samples"]
    reason: str = ""

    @property
    def deviation(self) -> float:
        """(1/nN) Σ_i |H(t_i) − H(t_0)|, eV/atom."""
        return float("nan") if self.reason else float(np.abs(self.energies[1:] - self.energies[0]).mean())

    @property
    def temperature(self) -> float:
        """The mean temperature, K."""
        return float("nan") if self.reason else float(self.temperatures.mean())


def nve_deviation(
    potential: Potential,
    timesteps_fs: Sequence[float] = TIMESTEPS_FS,
    *,
    rng: np.random.Generator,
    protocol: NveProtocol = NveProtocol(),
    structure: Atoms | None = None,
    native: bool | None = None,
) -> NveResult:
    """Measure how well a potential conserves energy in LAMMPS, and of which order in the timestep.

    The structure is brought to the temperature once, by Langevin dynamics; each timestep then starts from
    that one state and runs microcanonically for the same time.  ΔH(δt) = (1/nN) Σ_i |H(t_i; δt) − H(t_0)|,
    and the order is the slope of ln ΔH against ln δt over the runs that the protocol's rule takes.

    Parameters
    ----------
    timesteps_fs
        fs.
    structure
        By default 16 atoms of bcc, at the element's volume, of the potential's first element.
    native
        As in :func:`mechlearn.potentials.lammps_run.lammps_with`.

    Returns
    -------
    NveResult
        A run that loses atoms, stops being finite or moves by more than 1 eV/atom is reported as unstable,
        with the reason; so is an equilibration that the thermostat does not hold.

    Raises
    ------
    InputError
        A timestep is not positive, or the potential does not know the structure's elements.

    References
    ----------
    Montes de Oca Zapiain et al. (2022), Equation 2 and Figure 5.

    Examples
    --------
    >>> from mechlearn.engines.lammps import potential_file
    >>> from mechlearn.potentials.lammps_files import read_snap
    >>> potential = read_snap(potential_file("W_2940_2017_2.snap"))
    >>> protocol = NveProtocol(duration_ps=0.05, equilibration_ps=0.05)
    >>> result = nve_deviation(potential, (2.0, 5.0), rng=np.random.default_rng(0), protocol=protocol)
    >>> result.stable, bool(result.deviation[0] < result.deviation[1])
    (True, True)
    """
    timesteps = np.asarray(timesteps_fs, dtype=np.float64)
    if timesteps.ndim != 1 or not len(timesteps) or not (np.isfinite(timesteps) & (timesteps > 0)).all():
        raise InputError(f"testing energy conservation: the timesteps {list(timesteps_fs)} fs are not all positive")
    atoms = _bcc(potential) if structure is None else structure
    try:
        start = _equilibrate(potential, atoms, protocol, rng, native=native)
        trajectories = [_run(potential, start, float(step), protocol, native=native) for step in timesteps]
    except _UnstableError as error:
        nothing = np.empty(0)
        trajectories = [_Trajectory(nothing, nothing, f"equilibration: {error}")] * len(timesteps)
    return _result(timesteps, trajectories, protocol)


def fit_order(
    timesteps: Float[np.ndarray, " timesteps"], deviation: Float[np.ndarray, " timesteps"]
) -> tuple[float, tuple[float, float]]:
    """The slope of ln ΔH against ln δt and its 95% interval.

    Examples
    --------
    >>> order, interval = fit_order(np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.4, 1.6]))
    >>> round(order, 6)
    2.0
    """
    from scipy import stats

    if len(timesteps) < 2:
        return float("nan"), (float("nan"), float("nan"))
    if len(timesteps) == 2:
        slope = np.diff(np.log(deviation))[0] / np.diff(np.log(timesteps))[0]
        return float(slope), (float("nan"), float("nan"))
    fit = stats.linregress(np.log(timesteps), np.log(deviation))
    reach = float(stats.t.ppf(0.975, len(timesteps) - 2) * fit.stderr)
    return float(fit.slope), (float(fit.slope) - reach, float(fit.slope) + reach)


class _UnstableError(Exception):
    """A run that could not be finished, and why."""


def _result(
    timesteps: Float[np.ndarray, " timesteps"], trajectories: Sequence[_Trajectory], protocol: NveProtocol
) -> NveResult:
    """Choose the runs that count and fit the order."""
    deviation = np.array([trajectory.deviation for trajectory in trajectories])
    with np.errstate(invalid="ignore"):
        counted = (deviation >= protocol.smallest_deviation) & (timesteps <= protocol.largest_timestep_fs)
    order, interval = fit_order(timesteps[counted], deviation[counted])
    return NveResult(
        timesteps_fs=timesteps,
        deviation=deviation,
        temperatures=np.array([trajectory.temperature for trajectory in trajectories]),
        reasons=tuple(trajectory.reason for trajectory in trajectories),
        counted=counted,
        order=order,
        interval=interval,
        protocol=protocol,
    )


def _bcc(potential: Potential) -> Atoms:
    """16 atoms of bcc at the volume of the first element's own crystal (ASE's reference states)."""
    if not potential.elements:
        raise InputError("testing energy conservation: this potential takes any element; give a structure")
    element = potential.elements[0]
    state = reference_states[atomic_numbers[element]]
    if state is not None and state["symmetry"] == "bcc":
        side = state["a"]
    else:
        try:
            side = (2.0 * bulk(element).get_volume() / len(bulk(element))) ** (1.0 / 3.0)
        except ValueError:
            raise InputError(
                f"testing energy conservation: no crystal is known for {element}; give a structure"
            ) from None
    return bulk(element, "bcc", a=side, cubic=True) * (2, 2, 2)


def _equilibrate(
    potential: Potential,
    atoms: Atoms,
    protocol: NveProtocol,
    rng: np.random.Generator,
    *,
    native: bool | None,
) -> Atoms:
    """Bring the structure to the temperature by Langevin dynamics, its centre of mass at rest."""
    steps = max(1, round(1000.0 * protocol.equilibration_ps / protocol.equilibration_timestep_fs))
    first, second = (int(seed) for seed in rng.integers(1, 900_000_000, size=2))
    temperature = protocol.temperature
    with lammps_with(potential, atoms, native=native) as lmp:
        _prepare(lmp, protocol.equilibration_timestep_fs)
        # Half of the energy goes into the positions, so the crystal needs twice the temperature at first.
        lmp.command(f"velocity all create {2.0 * temperature!r} {first} mom yes rot no dist gaussian loop all")
        lmp.command(f"fix bath all langevin {temperature!r} {temperature!r} {protocol.damping_ps!r} {second} zero yes")
        _advance(lmp, steps)
        reached = float(lmp.get_thermo("temp"))
        if not reached < _HOTTEST * temperature:
            raise _UnstableError(f"the temperature is {reached:.3g} K, with a thermostat at {temperature:g} K")
        return atoms_of(lmp, atoms)


def _run(
    potential: Potential, start: Atoms, timestep_fs: float, protocol: NveProtocol, *, native: bool | None
) -> _Trajectory:
    """One trajectory from the initial state; an unstable one says why."""
    steps = max(1, round(1000.0 * protocol.duration_ps / timestep_fs))
    every = max(1, steps // protocol.samples)
    atoms = len(start)
    try:
        with lammps_with(potential, start, native=native) as lmp:
            _prepare(lmp, timestep_fs)
            lmp.command("compute kinetic all ke")
            lmp.command(f"fix record all vector {every} c_thermo_pe c_kinetic")
            lmp.command("run 0")
            initial = lmp.get_thermo("etotal")
            lmp.command(f"variable moved equal abs(etotal-({initial!r}))/{atoms}")
            lmp.command(f"fix halt all halt {every} v_moved > {_LARGEST_DEVIATION} error soft message no")
            _advance(lmp, steps)
            count = int(lmp.get_thermo("step")) // every + 1
            record = np.array(
                [[lmp.extract_fix("record", 0, 2, row, column) for column in (0, 1)] for row in range(count)]
            )
    except _UnstableError as error:
        return _Trajectory(np.empty(0), np.empty(0), str(error))
    energies = record.sum(axis=1) / atoms
    # The centre of mass rests, which takes three degrees of freedom: T = 2 E_kin/((3N − 3) k_B).
    temperatures = 2.0 * record[:, 1] / (max(3 * atoms - 3, 1) * BOLTZMANN)
    return _Trajectory(energies, temperatures, _instability(energies, count, steps // every + 1))


def _instability(energies: Float[np.ndarray, " samples"], count: int, expected: int) -> str:
    """Why a finished run counts as unstable; empty where it does not."""
    if not np.isfinite(energies).all():
        return "the total energy is not finite"
    moved = float(np.abs(energies - energies[0]).max())
    if moved > _LARGEST_DEVIATION or count < expected:
        return f"the total energy moved by {moved:.3g} eV/atom"
    return ""


def _prepare(lmp: object, timestep_fs: float) -> None:
    """The settings that every run shares."""
    for command in (
        f"timestep {timestep_fs / 1000.0!r}",
        "neigh_modify every 1 delay 0 check yes",
        "thermo_modify lost error norm no",
        "fix dynamics all nve",
    ):
        lmp.command(command)  # type: ignore[attr-defined]


def _advance(lmp: object, steps: int) -> None:
    """Run; a run that LAMMPS gives up is unstable."""
    try:
        with lammps_errors("running"):
            lmp.command(f"run {steps}")  # type: ignore[attr-defined]
    except MechlearnError as error:
        raise _UnstableError(str(error)) from error
