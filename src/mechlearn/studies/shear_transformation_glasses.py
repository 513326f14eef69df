"""The glasses of the study, sheared to their first events, with features: those to learn from, and larger ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from mechlearn.errors import InputError
from mechlearn.glasses.description.feature_campaign import FeatureFolder, feature_runs
from mechlearn.glasses.loading.quasistatic_shear import SENSES, ShearSettings
from mechlearn.glasses.loading.shear_campaign import shear_glasses
from mechlearn.glasses.loading.shear_runs import ShearRuns
from mechlearn.glasses.named_potentials import glass_potential, shear_settings_for
from mechlearn.glasses.prediction.event_data import EventData
from mechlearn.glasses.quench.glass_recipe import KOB_ANDERSEN, GlassRecipe, Liquid, Quench, Swaps, percentages
from mechlearn.glasses.quench.preparation import prepare_glasses
from mechlearn.glasses.rest.minimisation import MinimisationSettings
from mechlearn.interactions import absolute_name
from mechlearn.structures import StructureBatch, StructureSet, read_structures
from mechlearn.studies.context import StudyContext
from mechlearn.studies.shear_transformation_config import ShearTransformationConfig

#: Glasses that models learn from, and larger ones that they are tried on; folders in ``data/`` begin so.
Size = Literal["glasses", "larger"]
SIZES: Final[tuple[Size, ...]] = ("glasses", "larger")

#: How finely the strain of an event is found, or as finely as the steps are.
_RESOLUTION: Final = 1e-6
#: Of the Kob–Andersen mixture, σ_AA³ an atom.
_MIXTURE_VOLUME: Final = 1.0 / 1.2


@dataclass(frozen=True)
class ShearedGlasses:
    """What is on disk of the glasses of one size.

    Attributes
    ----------
    runs : ShearRuns
        One a specimen and sense.
    features : FeatureFolder
        Of the same.
    """

    runs: ShearRuns
    features: FeatureFolder

    def load(self) -> EventData:
        """The runs in which an event came, as models see them."""
        return self.features.load(self.runs).with_events()


def prepare_runs(config: ShearTransformationConfig, context: StudyContext) -> dict[Size, ShearedGlasses]:
    """Make or take the glasses, shear them, and find their features; what is done is not done again."""
    sizes = [size for size in SIZES if size == "glasses" or config.larger is not None]
    glasses = {size: _glasses(config, context, size) for size in sizes}
    atoms = {size: store.atoms / len(store) for size, store in glasses.items()}
    # In larger glasses the same share of all modes, so that sums over them mean the same.
    modes = {size: max(1, round(config.modes * atoms[size] / atoms["glasses"])) for size in sizes}
    return {size: _sheared(config, context, size, glasses[size], modes[size]) for size in sizes}


def folders(data: Path, size: Size) -> tuple[Path, Path, Path]:
    """Where the glasses of one size, their runs and their features are."""
    return data / size, data / f"{size}-sheared", data / f"{size}-features"


def recipe_of(config: ShearTransformationConfig, size: Size) -> GlassRecipe:
    """How the glasses of one size are made.

    Raises
    ------
    InputError
        A number is out of range, or the composition does not sum.
    """
    plan = config.preparation
    mixture = config.potential == KOB_ANDERSEN
    larger = size == "larger" and config.larger is not None
    return GlassRecipe(
        composition=plan.composition,
        atoms=config.larger.atoms if larger and config.larger is not None else plan.atoms,
        potential=config.potential,
        liquid=Liquid(plan.liquid_temperature, plan.liquid_duration),
        quench=Quench(
            plan.quench_rate,
            plan.quench_temperature,
            None if mixture else plan.pressure,
            plan.quench_window,
            plan.fast_rate,
        ),
        swaps=Swaps(plan.swaps_per_atom, plan.swap_every) if plan.swaps_per_atom else None,
        timestep=plan.timestep,
        volume_per_atom=_MIXTURE_VOLUME if mixture else None,
    )


def given_glasses(config: ShearTransformationConfig, size: Size) -> str | None:
    """Where glasses of one's own are, None where they are made."""
    if size == "glasses":
        return config.glasses
    return None if config.larger is None else config.larger.glasses


def specimens_of(config: ShearTransformationConfig, size: Size) -> int:
    """How many glasses of one size are made."""
    return config.larger.specimens if size == "larger" and config.larger is not None else config.preparation.specimens


def shear_settings(config: ShearTransformationConfig) -> ShearSettings:
    """How the glasses are sheared."""
    rest = shear_settings_for(config.potential).minimisation
    return shear_settings_for(
        config.potential,
        step=config.step,
        resolution=min(_RESOLUTION, config.step),
        final_strain=config.final_strain,
        threshold=config.threshold,
        minimisation=MinimisationSettings(config.force_tolerance, rest.longest_step, rest.evaluations),
    )


def check_glasses(config: ShearTransformationConfig) -> None:
    """Refuse settings, a potential or given glasses that cannot be used.

    Raises
    ------
    InputError
        What is wrong, and what to do.
    """
    if config.glasses is None:
        count = config.preparation.specimens
        for size in SIZES[: 2 if config.larger is not None else 1]:
            if given_glasses(config, size) is None:
                _ = recipe_of(config, size).model
    else:
        given = read_structures(Path(config.glasses))
        count = len(given)
        glass_potential(config.potential, given.elements)
        if config.larger is not None and config.larger.glasses is None:
            _check_composition(config, given)
            _ = recipe_of(config, "larger").model
    if (larger := given_glasses(config, "larger")) is not None:
        glass_potential(config.potential, read_structures(Path(larger)).elements)
    if count < config.folds:
        raise InputError(
            f"study shear_transformation: {count} glasses fall into {config.folds} folds by specimen; "
            "give more glasses, or fewer folds"
        )
    inside = count - -(-count // config.folds)
    most = max((plan.folds for plan in (config.selection, config.imbalance) if plan is not None), default=0)
    if most > inside:
        raise InputError(
            f"study shear_transformation: of {count} glasses {inside} are left for cross-validation in {most} folds; "
            "give more glasses, or fewer folds there"
        )


def _check_composition(config: ShearTransformationConfig, given: StructureBatch) -> None:
    """Larger glasses are made here, of what the given ones are made of."""
    made = set(percentages(config.preparation.composition))
    if made != set(given.elements):
        raise InputError(
            f"study shear_transformation: the larger glasses would be of {', '.join(sorted(made))}, those given are of "
            f"{', '.join(sorted(given.elements))}; give preparation.composition in the settings, or leave larger out"
        )


def _glasses(config: ShearTransformationConfig, context: StudyContext, size: Size) -> StructureSet:
    """The glasses of one size: those given, kept as they are, or made here."""
    out = folders(context.data, size)[0]
    if (given := given_glasses(config, size)) is not None:
        store = StructureSet.create(out)
        if not store.has_part(0):
            store.append(read_structures(Path(given)).without_labels(), part=0)
        return store
    return prepare_glasses(
        recipe_of(config, size),
        specimens_of(config, size),
        out,
        seed=int(context.rng(31, SIZES.index(size)).integers(2**31)),
        workers=context.workers,
        scheduler=context.scheduler,
        pool=context.pool,
    )


def _sheared(
    config: ShearTransformationConfig, context: StudyContext, size: Size, glasses: StructureSet, modes: int
) -> ShearedGlasses:
    _, sheared, described = folders(context.data, size)
    potential = absolute_name(config.potential)
    runs = shear_glasses(
        glasses,
        potential,
        sheared,
        senses={sense: SENSES[sense] for sense in config.senses},
        settings=shear_settings(config),
        workers=context.workers,
        scheduler=context.scheduler,
        pool=context.pool,
    )
    features = feature_runs(
        runs,
        potential,
        described,
        modes=modes,
        structural=config.structural,
        workers=context.workers,
        scheduler=context.scheduler,
        pool=context.pool,
    )
    return ShearedGlasses(runs, features)
