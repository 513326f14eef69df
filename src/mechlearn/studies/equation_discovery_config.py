"""The settings of the study of equations, and its presets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mechlearn.studies.configuration import StudyConfig

#: What the study is made of; fields of one's own need the first alone.
Part = Literal["fields", "symmetry", "interactions", "coordinates"]
PARTS: tuple[Part, ...] = ("fields", "symmetry", "interactions", "coordinates")


class FieldPlan(BaseModel):
    """How the equations of one data set are looked for.

    Attributes
    ----------
    name : str
        ``burgers``, ``kdv``, ``lorenz`` or ``reaction-diffusion``; of a file of one's own its name without ending.
    noises : tuple of float
        What is added: standard deviation over that of the field.
    draws : int
        How often each noise is drawn.
    degree, derivative_order : int
        Of the candidates.
    rows : int
        How many windows of the weak form at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    noises: tuple[float, ...] = (0.2,)
    draws: int = Field(default=20, ge=1)
    degree: int = Field(default=3, ge=1)
    derivative_order: int = Field(default=4, ge=0)
    rows: int = Field(default=300, ge=20)


class LawPlan(BaseModel):
    """How the symmetry of one law is looked for.

    Attributes
    ----------
    name : str
        Of a stress its group: ``isotropic``, ``cubic``, ``transversely isotropic`` or ``hexagonal``; ``rotating``; or
        that of fields, as in ``mechlearn.equations.examples.example_pdes``.
    draws : int
        How often samples and noise are drawn.
    noise : float
        Standard deviation over that of what is measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    draws: int = Field(default=20, ge=1)
    noise: float = Field(default=0.05, ge=0)


class CrystalPlan(BaseModel):
    """Which interactions between slip systems are looked for, and in what data.

    Attributes
    ----------
    lattice : str
        ``fcc``, ``bcc`` or ``hcp``.
    draws : int
        How many laws are planted.
    noise : float
        Of every reading, over the standard deviation of the system's readings.
    cases, grains : int
        Loading cases, and grains of each polycrystal.
    share_of_strength, share_of_storage : float
        Which shares of the independent entries of H and K are not zero.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lattice: Literal["fcc", "bcc", "hcp"] = "fcc"
    draws: int = Field(default=1, ge=1)
    noise: float = Field(default=0.05, ge=0)
    cases: int = Field(default=12, ge=6)
    grains: int = Field(default=10, ge=1)
    share_of_strength: float = Field(default=0.5, ge=0, le=1)
    share_of_storage: float = Field(default=0.05, ge=0, le=1)


class EquationDiscoveryConfig(StudyConfig):
    """What to look for, in which data, how often.

    Attributes
    ----------
    data : str or None
        A file, or a folder of files, with fields of one's own in place of the built-in ones.
    parts : tuple of str or None
        Which parts to do; all of them, or with ``data`` the fields alone, where None.
    fields : tuple of FieldPlan
        The built-in data sets.
    own : FieldPlan
        How each file of ``data`` is treated; its name is that of the file.
    known : mapping
        The true coefficients of files of ``data`` by name of the file, left-hand side and term, where known.
    laws : tuple of LawPlan
        Laws whose symmetry is looked for.
    crystals : tuple of CrystalPlan
        Crystals whose interactions are looked for.
    coordinates : tuple of str
        Systems whose coordinates are looked for: ``lorenz``, ``pendulum``, ``reaction-diffusion``.
    coordinate_size : {"quick", "laptop"}
        How large the networks are, and how long they are trained.
    resamples : int
        How many times blocks of the data are drawn again, for intervals and probabilities.
    peers : bool
        Whether PySINDy looks at the same fields too, where it is installed.
    """

    data: str | None = None
    parts: tuple[Part, ...] | None = None
    fields: tuple[FieldPlan, ...] = ()
    own: FieldPlan = FieldPlan(noises=(0.2,), draws=3)
    known: dict[str, dict[str, dict[str, float]]] = Field(default_factory=dict)
    laws: tuple[LawPlan, ...] = ()
    crystals: tuple[CrystalPlan, ...] = ()
    coordinates: tuple[Literal["lorenz", "pendulum", "reaction-diffusion"], ...] = ()
    coordinate_size: Literal["quick", "laptop"] = "quick"
    resamples: int = Field(default=200, ge=20)
    peers: bool = True

    def does(self, part: Part) -> bool:
        """Whether a part is done."""
        chosen = self.parts if self.parts is not None else PARTS if self.data is None else PARTS[:1]
        return part in chosen


QUICK = EquationDiscoveryConfig(
    fields=(
        FieldPlan(name="burgers", noises=(0.2, 0.5), draws=10),
        FieldPlan(name="kdv", noises=(0.2,), draws=10),
        FieldPlan(name="lorenz", noises=(0.02,), draws=2, degree=2, derivative_order=0, rows=600),
    ),
    laws=tuple(
        LawPlan(name=name, draws=2) for name in ("isotropic", "cubic", "hexagonal", "crystal surface", "momentum")
    ),
    crystals=(CrystalPlan(),),
    coordinates=("reaction-diffusion",),
)

LAPTOP = EquationDiscoveryConfig(
    fields=(
        FieldPlan(name="burgers", noises=(0.05, 0.1, 0.2, 0.35, 0.5)),
        FieldPlan(name="kdv", noises=(0.05, 0.1, 0.2, 0.35, 0.5)),
        FieldPlan(name="lorenz", noises=(0.01, 0.02, 0.05), degree=2, derivative_order=0, rows=1000),
    ),
    own=FieldPlan(noises=(0.1, 0.2, 0.5), draws=20),
    laws=tuple(
        LawPlan(name=name)
        for name in (
            *("rotating", "isotropic", "cubic", "transversely isotropic", "hexagonal"),
            *("diffusion", "phase separation", "crystal surface", "orthotropic diffusion"),
            *("elastic medium", "momentum", "elastic crystal", "odd medium"),
        )
    ),
    crystals=(
        CrystalPlan(draws=20),
        CrystalPlan(lattice="hcp", draws=5, cases=24, share_of_strength=0.27, share_of_storage=0.003),
    ),
    coordinates=("lorenz", "pendulum", "reaction-diffusion"),
    coordinate_size="laptop",
)
