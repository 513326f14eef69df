"""The settings of the study of transferability, and its presets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mechlearn.studies.configuration import StudyConfig

#: The names of the two sets in results: diverse by construction, and curated by experts.
ENTROPY, EXPERT = "entropy", "expert"
SETS = (ENTROPY, EXPERT)

Family = Literal["linear", "quadratic", "A1", "A2", "A3", "A4", "A5", "B1", "B2", "B3", "B4", "B5"]

#: The number of bispectrum components at each 2J.
FEATURES = {2: 5, 4: 14, 6: 30, 8: 55}


class ModelPlan(BaseModel):
    """One model to fit on each set.

    Attributes
    ----------
    family : str
        Linear or quadratic SNAP, or a network of type A (step-down) or B (expand, then contract).
    twojmax : int
        2J of its descriptors.
    forces : bool
        Whether it is trained on forces too; the paper trains on energies alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Family
    twojmax: Literal[2, 4, 6, 8] = 6
    forces: bool = True

    @property
    def features(self) -> int:
        """D, the number of descriptors."""
        return FEATURES[self.twojmax]

    @property
    def name(self) -> str:
        """What a reader calls it."""
        return f"{self.family}, D = {self.features}" + ("" if self.forces else ", energies alone")

    @property
    def key(self) -> str:
        """Its name in files."""
        return f"{self.family}-{self.features}" + ("" if self.forces else "-energies")

    @property
    def is_network(self) -> bool:
        """Whether it is a network."""
        return self.family not in ("linear", "quadratic")


class TransferabilityConfig(StudyConfig):
    """What to generate, what to fit, what to measure.

    Attributes
    ----------
    element : str
        Chemical symbol.
    atomic_volume : float
        Ambient volume of an atom, Å³; the generated cells are drawn around it.
    labeller : str
        What gives energies and forces to both sets: ``eam``, ``snap``, ``gpaw``, a file, or ``module:callable``.
    expert : str or None
        A set in any readable format to use as the expert's; built in where it is not given.
    structures : int
        How many structures each set has; a given expert set that is larger is sampled.
    cutoff : float
        Of the descriptors, Å.
    energy_weight, force_weight : float
        Of the residuals, 1/(eV/atom) and 1/(eV/Å).
    models : list of ModelPlan
        What is fitted on each set.
    shown : list of str
        The families (at D = 30) in the figure of transfer and in the summary.
    epochs, batch_size, learning_rate : int, int, float
        Of the networks; the rate is halved on a plateau of ``patience`` epochs.
    patience : int
        Epochs without progress before the rate is halved.
    precision : str
        ``double`` or ``single``: of the networks while they are trained.
    holdout_twojmax : int
        2J of the quadratic model of the group hold-out.
    nve_timesteps_fs : list of float
        fs.
    nve_duration_ps : float
        Of every trajectory, ps.
    """

    element: str = "W"
    atomic_volume: float = Field(default=15.9, gt=0)
    labeller: str = "eam"
    expert: str | None = None
    structures: int = Field(default=400, ge=40)
    cutoff: float = Field(default=4.73, gt=0)
    energy_weight: float = Field(default=100.0, gt=0)
    force_weight: float = Field(default=1.0, gt=0)
    models: tuple[ModelPlan, ...] = ()
    shown: tuple[Family, ...] = ("quadratic", "A1", "B1")
    epochs: int = Field(default=150, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    patience: int = Field(default=20, ge=1)
    precision: Literal["double", "single"] = "double"
    holdout_twojmax: Literal[2, 4, 6, 8] = 6
    nve_timesteps_fs: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    nve_duration_ps: float = Field(default=1.5, gt=0)


def _plans(*specifications: tuple[str, int, bool]) -> tuple[ModelPlan, ...]:
    return tuple(
        ModelPlan.model_validate({"family": family, "twojmax": twojmax, "forces": forces})
        for family, twojmax, forces in specifications
    )


QUICK = TransferabilityConfig(
    models=_plans(
        ("linear", 2, True),
        ("linear", 4, True),
        ("linear", 6, True),
        ("quadratic", 2, True),
        ("quadratic", 4, True),
        ("quadratic", 6, True),
        ("A1", 6, True),
        ("B1", 6, True),
    ),
)

_TEN = ("A1", "A2", "A3", "A4", "A5", "B1", "B2", "B3", "B4", "B5")

LAPTOP = TransferabilityConfig(
    structures=10_000,
    models=_plans(
        *((family, twojmax, False) for family in ("linear", "quadratic") for twojmax in (2, 4, 6, 8)),
        *((family, 6, False) for family in _TEN),
        ("linear", 6, True),
        ("quadratic", 6, True),
        ("linear", 8, True),
        ("A1", 6, True),
        ("B1", 6, True),
    ),
    epochs=400,
    batch_size=32,
    patience=20,
    precision="single",
    nve_timesteps_fs=(0.5, 1.0, 2.0, 4.0, 8.0, 12.0),
    nve_duration_ps=7.5,
)

PAPER = TransferabilityConfig(
    structures=223_660,
    models=_plans(
        *((family, twojmax, False) for family in ("linear", "quadratic") for twojmax in (2, 4, 6, 8)),
        *((family, twojmax, False) for twojmax in (4, 6, 8) for family in _TEN),
        ("linear", 8, True),
        ("quadratic", 6, True),
    ),
    epochs=800,
    batch_size=256,
    patience=50,
    precision="single",
    nve_timesteps_fs=(0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0),
    nve_duration_ps=7.5,
)
