"""The settings of the study of shear transformations, and its presets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mechlearn.glasses.named_potentials import units_for
from mechlearn.studies.configuration import StudyConfig
from mechlearn.units import Units

Kind = Literal["gat", "svm", "boosting", "ranking"]
Imbalance = Literal["none", "weights", "undersampling", "oversampling", "focal"]
Sense = Literal["xy", "yz", "xz", "-xy", "-yz", "-xz"]

SIX_SENSES: tuple[Sense, ...] = ("xy", "yz", "xz", "-xy", "-yz", "-xz")

#: What a reader calls models and groups of features.
_KINDS = {"gat": "GAT", "svm": "SVM", "boosting": "boosting"}
_GROUPS = {
    "paper": "the paper's features",
    "mechanism": "the mechanism's features",
    "interstices": "interstices",
    "symmetry functions": "symmetry functions (softness)",
    "all": "all features",
}


class _Table(BaseModel):
    """A table of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PreparationPlan(_Table):
    """How the glasses are made, where none are given; temperatures of the Kob–Andersen mixture are in ε_AA/k_B.

    Attributes
    ----------
    composition : str
        Elements with their percentages.
    specimens, atoms : int
        How many glasses, of how many atoms each.
    liquid_temperature, liquid_duration : float
        Of the melt, K and ps.
    quench_rate, quench_temperature : float
        K/s, and where cooling ends, K.
    quench_window : (float, float) or None
        Temperatures, K, between which the rate holds; above and below it is ``fast_rate``, K/s.
    swaps_per_atom : float
        Monte Carlo swaps of unlike atoms tried in a round, for each atom; 0 for none.
    swap_every : int
        Steps between rounds.
    timestep : float or None
        ps; by default that of :class:`mechlearn.glasses.GlassRecipe`.
    pressure : float
        GPa.
    """

    composition: str = "Cu64Zr36"
    specimens: int = Field(default=10, ge=3)
    atoms: int = Field(default=400, ge=2)
    liquid_temperature: float = Field(default=2000.0, gt=0)
    liquid_duration: float = Field(default=100.0, gt=0)
    quench_rate: float = Field(default=1e13, gt=0)
    quench_temperature: float = Field(default=300.0, gt=0)
    quench_window: tuple[float, float] | None = None
    fast_rate: float = Field(default=1e14, gt=0)
    swaps_per_atom: float = Field(default=0.0, ge=0)
    swap_every: int = Field(default=25, ge=1)
    timestep: float | None = Field(default=None, gt=0)
    pressure: float = 0.0

    def cooling(self, units: Units) -> str:
        """How it is cooled, in words."""
        told = f"at {self.quench_rate:.2g} {units.rate}"
        if self.quench_window is not None:
            hot, cold = self.quench_window
            told += f" between {hot:g} and {cold:g} {units.temperature}"
            told += f" (at {self.fast_rate:.2g} {units.rate} above and below)"
        if self.swaps_per_atom:
            told += f", with {self.swaps_per_atom:g} swaps of unlike atoms for each atom every {self.swap_every} steps,"
        return told


class LargerPlan(_Table):
    """Larger glasses that no model is trained on.

    Attributes
    ----------
    specimens, atoms : int
        How many glasses, of how many atoms each.
    glasses : str or None
        Glasses of one's own in their place, a file or folder in any readable format.
    """

    specimens: int = Field(default=10, ge=1)
    atoms: int = Field(default=10_000, ge=2)
    glasses: str | None = None


class ModelPlan(_Table):
    """One model, or a ranking by one feature that learns nothing.

    Attributes
    ----------
    kind : str
        ``gat``, ``svm``, ``boosting``, or ``ranking``.
    features : str
        ``paper``, ``mechanism``, ``all`` (both of them), ``interstices`` or ``symmetry functions``; of a ranking the
        name of the feature.
    imbalance : str
        How the rarity of events is treated in training.
    equal_runs : bool
        Whether all runs count the same in training, whatever the size of their events.
    layers, width, heads, epochs, learning_rate : int, int, int, int, float
        Of the GAT; the paper's best by AUC has 4 layers of 15 × 9.
    patience, stop_after : int
        Epochs without a lower validation loss after which its learning rate is halved, and after which it ends.
    residual : bool
        Whether a layer of the GAT adds to what comes in; the paper describes none that does.
    trees : int
        Of boosting.
    """

    kind: Kind
    features: str = "paper"
    imbalance: Imbalance = "weights"
    equal_runs: bool = False
    layers: int = Field(default=4, ge=1)
    width: int = Field(default=15, ge=1)
    heads: int = Field(default=9, ge=1)
    epochs: int = Field(default=40, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    patience: int = Field(default=4, ge=1)
    stop_after: int = Field(default=12, ge=1)
    residual: bool = False
    trees: int = Field(default=200, ge=1)

    @property
    def name(self) -> str:
        """What a reader calls it."""
        if self.kind == "ranking":
            return f"{self.features} alone"
        treated = "" if self.imbalance == "weights" else f", {self.imbalance}"
        treated += ", runs alike" if self.equal_runs else ""
        return f"{_KINDS[self.kind]} on {_GROUPS.get(self.features, self.features)}{treated}"

    @property
    def key(self) -> str:
        """Its name in files; of two models of one kind, features and treatment the second needs another."""
        return f"{self.kind}-{self.features}-{self.imbalance}".replace(" ", "-") + (
            "-runs-alike" if self.equal_runs else ""
        )

    @property
    def learns(self) -> bool:
        """Whether it is fitted to anything."""
        return self.kind != "ranking"


class SelectionPlan(_Table):
    """A grid of networks, compared by cross-validation.

    Attributes
    ----------
    layers, width, heads : tuple of int
        Of the grid.
    folds : int
        Of the specimens of training and validation.
    epochs : int
        Of each fit.
    """

    layers: tuple[int, ...] = (2, 4, 6, 8, 10, 12)
    width: tuple[int, ...] = (10, 15, 20, 25, 30, 35, 40)
    heads: tuple[int, ...] = (6, 9, 12, 15)
    folds: int = Field(default=4, ge=3)
    epochs: int = Field(default=40, ge=1)


class ImbalancePlan(_Table):
    """Treatments of the rarity of events, all that a kind of model takes, compared by cross-validation.

    Attributes
    ----------
    models : tuple of ModelPlan
        To which they are applied.
    folds : int
        Of the specimens of training and validation.
    """

    models: tuple[ModelPlan, ...] = Field(default=(), min_length=1)
    folds: int = Field(default=4, ge=3)


class ShearTransformationConfig(StudyConfig):
    """What is prepared, sheared, learnt and scored.

    Attributes
    ----------
    glasses : str or None
        Glasses of one's own, a file or folder in any readable format; made where none are given.
    potential : str
        An EAM file, by its path or as LAMMPS names it, or ``kob-andersen``.
    preparation : PreparationPlan
        Of the glasses that are made.
    larger : LargerPlan or None
        Larger glasses, predicted by the models trained on the others.
    senses : tuple of str
        Of the shear.
    step, final_strain : float
        Between two reports, and where a run without an event ends; events are found as finely with long steps.
    force_tolerance : float
        To which every step is at rest, eV/Å.
    threshold : float
        Of D²min, Å²: an atom above it took part in the event.
    sweep : tuple of float
        Thresholds at which the scores are looked at too, Å².
    modes : int
        Softest modes in the features of the mechanism; in larger glasses in proportion to their atoms.
    models : tuple of ModelPlan
        What is fitted and compared; the first is the paper's.
    folds : int
        Into which the specimens fall; each is tested once, one more fold is for validation.
    called_share : float
        A ranking that learns nothing calls so large a share of all atoms.
    radius : float
        A top-ranked atom no further from the core of the event is right, Å.
    matched_prevalence : float
        At which scores are told once more; by default the paper's.
    strain_edges : tuple of float
        Between early and late events; those beyond the last event are left out.
    selection : SelectionPlan or None
    imbalance : ImbalancePlan or None
    shown : int
        How many runs are drawn in the report.
    """

    glasses: str | None = None
    potential: str = "CuZr_mm.eam.fs"
    preparation: PreparationPlan = PreparationPlan()
    larger: LargerPlan | None = None
    senses: tuple[Sense, ...] = Field(default=SIX_SENSES, min_length=1)
    step: float = Field(default=1e-3, gt=0)
    final_strain: float = Field(default=0.1, gt=0)
    force_tolerance: float = Field(default=1e-6, gt=0)
    threshold: float = Field(default=0.1, gt=0)
    sweep: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    modes: int = Field(default=30, ge=1)
    models: tuple[ModelPlan, ...] = Field(default=(), min_length=1)
    folds: int = Field(default=5, ge=3)
    called_share: float = Field(default=0.05, gt=0, lt=1)
    radius: float = Field(default=5.0, gt=0)
    matched_prevalence: float = Field(default=0.0018, gt=0, lt=1)
    strain_edges: tuple[float, ...] = (0.002, 0.004, 0.008, 0.016)
    selection: SelectionPlan | None = None
    imbalance: ImbalancePlan | None = None
    shown: int = Field(default=2, ge=0)

    @property
    def units(self) -> Units:
        """In what a person reads lengths, energies and stresses."""
        return units_for(self.potential)

    @property
    def structural(self) -> tuple[str, ...]:
        """The features of the structure alone that a model asks for."""
        asked = {plan.features for plan in self.models}
        return tuple(kind for kind in ("interstices", "symmetry functions") if kind in asked)


def model_plans(epochs: int, *, trees: int = 200) -> tuple[ModelPlan, ...]:
    """The models of the presets: the paper's, two simpler ones on its features, and those that know the mechanism."""
    return (
        ModelPlan(kind="gat", features="paper", epochs=epochs),
        ModelPlan(kind="svm", features="paper"),
        ModelPlan(kind="boosting", features="paper", trees=trees),
        ModelPlan(kind="ranking", features="D²min of u"),
        ModelPlan(kind="ranking", features="growth of D²min"),
        ModelPlan(kind="ranking", features="imminence to fourth order"),
        ModelPlan(kind="ranking", features="imminence of an event"),
        ModelPlan(kind="boosting", features="mechanism", trees=trees, equal_runs=True),
        ModelPlan(kind="gat", features="mechanism", epochs=epochs, residual=True),
        ModelPlan(kind="boosting", features="all", trees=trees, equal_runs=True),
    )


QUICK = ShearTransformationConfig(
    preparation=PreparationPlan(
        specimens=8, atoms=800, liquid_duration=5.0, quench_rate=1e14, swaps_per_atom=50.0, timestep=0.004
    ),
    larger=LargerPlan(specimens=2, atoms=2000),
    models=model_plans(epochs=12, trees=100),
    imbalance=ImbalancePlan(models=(ModelPlan(kind="boosting", features="all", trees=100),), folds=3),
)

#: What others have learnt from, each with the model that they used or a like one.
_OTHERS = (
    ModelPlan(kind="svm", features="symmetry functions"),
    ModelPlan(kind="boosting", features="interstices"),
)

_TREATED = (ModelPlan(kind="gat", features="paper"), ModelPlan(kind="boosting", features="all"))

LAPTOP = ShearTransformationConfig(
    preparation=PreparationPlan(
        specimens=75,
        atoms=2000,
        liquid_duration=10.0,
        quench_rate=7.5e12,
        quench_window=(1300.0, 700.0),
        swaps_per_atom=50.0,
        timestep=0.004,
    ),
    larger=LargerPlan(specimens=10, atoms=10_000),
    models=(*model_plans(epochs=40), *_OTHERS),
    imbalance=ImbalancePlan(models=tuple(plan.model_copy(update={"epochs": 12}) for plan in _TREATED), folds=3),
)

PAPER = ShearTransformationConfig(
    preparation=PreparationPlan(
        specimens=75, atoms=10_000, liquid_temperature=2000.0, liquid_duration=100.0, quench_rate=1e10
    ),
    models=(*model_plans(epochs=100), *_OTHERS),
    selection=SelectionPlan(epochs=100),
    imbalance=ImbalancePlan(models=_TREATED),
)
