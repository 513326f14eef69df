"""A report like that of a study, from invented numbers of realistic size."""

from datetime import datetime

import numpy as np

from mechlearn.evaluation import (
    Metric,
    TransferMatrix,
    group_holdout,
    principal_components,
    regression_scorecard,
    zca_comparison,
)
from mechlearn.report import (
    ConservationSeries,
    Highlight,
    LearningCurve,
    ModelPoint,
    Picture,
    Report,
    Section,
    Table,
    Text,
    accuracy_against_size,
    descriptor_densities,
    energy_conservation,
    energy_distributions,
    error_distributions,
    holdout_bars,
    learning_curves,
    parity,
    principal_component_scatter,
    provenance,
    transfer_heatmap,
    width_bars,
)


class Labels:
    """Flat arrays of labels."""

    def __init__(self, energies, forces, stresses, offsets, groups):
        self.energies, self.forces, self.stresses = energies, forces, stresses
        self.offsets, self.groups = offsets, groups


def sample_descriptors(rng):
    """Two sets of environments: a few tight clusters, and a broad cloud."""
    mixing = rng.normal(size=(14, 14)) * np.geomspace(3, 0.05, 14)
    centres = rng.normal(size=(6, 14))
    expert = (centres[rng.integers(6, size=9000)] + 0.12 * rng.normal(size=(9000, 14))) @ mixing
    entropy = (2.4 * rng.normal(size=(12000, 14)) + 0.6 * rng.normal(size=(12000, 14)) ** 2) @ mixing
    return {"expert": expert, "entropy": entropy}


def sample_matrices(rng):
    """Three models whose errors are those of the paper in size."""
    matrices = []
    for title, factor in (("quadratic", 1.0), ("network A1", 1.15), ("network B1", 0.9)):
        sizes = {
            ("entropy", "entropy"): 0.012,
            ("expert", "entropy"): 0.55,
            ("entropy", "expert"): 0.011,
            ("expert", "expert"): 0.004,
        }
        errors = {
            pair: factor * size * rng.standard_t(4, size=1500) * rng.lognormal(sigma=0.3, size=1500)
            for pair, size in sizes.items()
        }
        matrices.append(TransferMatrix.from_errors(title, errors, rng, draws=200))
    return matrices


def sample_scorecard(rng):
    """Labels of 120 structures and a prediction with small errors."""
    sizes = rng.integers(2, 40, size=120)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    names = ("bcc, strained", "gamma surface", "liquid <3000 K>", "di-vacancy")
    groups = tuple(names[index] for index in rng.integers(4, size=120))
    forces = rng.normal(size=(offsets[-1], 3))
    stresses = np.full((120, 6), np.nan)
    energies = rng.normal(-8.5, 0.3, size=120) * sizes
    reference = Labels(energies, forces, stresses, offsets, groups)
    predicted = Labels(
        energies + 0.01 * rng.normal(size=120) * sizes,
        forces + 0.15 * rng.normal(size=forces.shape),
        stresses,
        offsets,
        groups,
    )
    return regression_scorecard("Quadratic, D = 30, on held-out expert structures", predicted, reference, rng)


def sample_points(rng):
    """RMSE of three families that saturate near a thousand parameters."""
    points = []
    for panel, limit in (("entropy", 0.011), ("expert", 0.004)):
        for features in (5, 14, 30, 55):
            counts = {"linear": features + 1, "quadratic": (features + 1) * (features + 2) // 2}
            counts |= {"network A": 13 * features, "network B": 120 * features}
            for family, parameters in counts.items():
                value = limit * (1 + 30 / parameters**0.8) * rng.lognormal(sigma=0.08)
                metric = Metric("energy RMSE", value, "eV/atom", 0.93 * value, 1.08 * value, 400)
                points.append(ModelPoint(f"{family}, D = {features}", family, panel, parameters, metric))
    return points


def data_section(rng):
    """What the two sets hold."""
    descriptors = sample_descriptors(rng)
    energies = {
        "expert": -8.85 + 0.12 * rng.exponential(size=4000),
        "entropy": -8.0 + 0.45 * rng.gumbel(size=6000),
    }
    diversity = zca_comparison(descriptors["expert"], descriptors["entropy"])
    panels, shares = {}, {}
    for name, other in (("entropy", "expert"), ("expert", "entropy")):
        found = principal_components(descriptors[name], descriptors[other], 2)
        panels[f"components of {name}"] = {name: found.fitted, other: found.projected}
        shares[f"components of {name}"] = found.explained
    return Section(
        "How diverse the two sets are",
        [
            Text("Both sets hold structures of tungsten. The expert set is what a specialist would choose."),
            Picture(
                energy_distributions(energies),
                "The expert set is a sharp peak at the ground state; the entropy set reaches far above it.",
                "Distribution of the energy per atom of both sets.",
            ),
            Picture(
                descriptor_densities(descriptors),
                "The expert environments are islands; the entropy set fills the space between them.",
                "Joint densities of three bispectrum components in both sets.",
            ),
            Picture(
                width_bars(diversity.widths, diversity.axis_widths, "entropy", "expert"),
                f"The entropy set is {diversity}.",
                "Width of the entropy set over that of the expert set, direction by direction.",
            ),
            Picture(
                principal_component_scatter(panels, shares, ["expert", "entropy"]),
                "Seen along either set's own components, the expert set is clusters, the other one cloud.",
                "Both sets along the first two principal components of each.",
            ),
        ],
    )


def model_section(rng):
    """What the models get right."""
    epochs = np.arange(1, 201, dtype=float)
    curves = [
        LearningCurve(name, epochs, low + 0.4 / epochs, low * 1.3 + 0.4 / epochs)
        for name, low in (("A1 on entropy", 0.01), ("A1 on expert", 0.004))
    ]
    reference = rng.normal(-8.5, 0.3, size=600)
    groups = [("bcc", "liquid", "surface")[index] for index in rng.integers(3, size=600)]
    dense = rng.normal(size=9000)
    return Section(
        "How accurate the models are",
        [
            Picture(
                accuracy_against_size(sample_points(rng)),
                "Beyond about a thousand parameters more of them do not help.",
                "Energy RMSE against the number of parameters for both sets.",
            ),
            sample_scorecard(rng),
            Picture(
                parity(reference, reference + 0.02 * rng.normal(size=600), groups=groups),
                "Predicted against reference energies.",
                "Parity of energies.",
            ),
            Picture(
                parity(dense, dense + 0.1 * rng.normal(size=9000), "force", "eV/Å"),
                "Predicted against reference force components.",
                "Parity of forces.",
            ),
            Picture(learning_curves(curves), "Both networks have converged.", "Learning curves."),
        ],
    )


def transfer_section(rng):
    """How the models do away from home."""
    matrices = sample_matrices(rng)
    names = [f"group {index}" for index in range(9) for _ in range(40)]
    holdouts = [
        group_holdout(
            title,
            0.005 * rng.normal(size=400),
            size * np.repeat(rng.lognormal(sigma=1, size=9), 40) * rng.normal(size=360),
            names,
            rng,
            draws=200,
        )
        for title, size in (("quadratic", 0.05), ("network A1", 0.03))
    ]
    timesteps = np.array([0.5, 1, 2, 4, 8, 12, 16])
    series = [
        ConservationSeries(name, timesteps, 2e-6 * factor * timesteps**2 * (1 + (timesteps / 14) ** 4), 2.03)
        for name, factor in (("linear", 1.0), ("network A1", 1.4), ("network B1", 1.9))
    ]
    return Section(
        "How they transfer",
        [
            matrices[0],
            Picture(
                transfer_heatmap(matrices),
                "Trained on the expert set, every model fails on the entropy set; not the other way round.",
                "Transfer matrices of three models.",
            ),
            Picture(
                error_distributions(matrices),
                "The errors of expert-trained models on entropy structures lie almost two decades higher.",
                "Distributions of root squared errors for the four pairs of sets.",
            ),
            Picture(
                holdout_bars(holdouts),
                holdouts[0].sentence(),
                "RMSE of random and of whole-group hold-outs.",
            ),
            Picture(
                energy_conservation(series),
                "Every model conserves energy to second order in the timestep up to about 10 fs.",
                "Energy deviation against timestep.",
            ),
            Table(
                ["model", "order"],
                [[each.name, f"{each.order:.2f}"] for each in series],
                "Order in the timestep",
            ),
        ],
    )


def sample_report(seed=0):
    """The whole page."""
    rng = np.random.default_rng(seed)
    return Report(
        title="Does training data made for diversity give potentials that transfer?",
        summary=[
            "Yes: potentials trained on the entropy set stay accurate on structures an expert would choose, "
            "while those trained on the expert set are 46 times worse on the entropy set than its own.",
            "Labels come from an embedded-atom potential, so these numbers measure the method, not tungsten. "
            "With 1,500 held-out structures the ratios are known to about 10%.",
        ],
        highlights=[
            Highlight("46×", "expert → entropy over entropy → entropy", "energy RMSE, quadratic"),
            Highlight("2.7×", "entropy → expert over expert → expert", "energy RMSE, quadratic"),
            Highlight("14 of 14", "directions in which the entropy set is broader", "never below 0.5×"),
            Highlight("2.03", "order of energy conservation", "every model, up to 10 fs"),
        ],
        sections=[data_section(rng), model_section(rng), transfer_section(rng)],
        definitions={
            "Entropy set": "Structures made so that the atoms of each differ as far as can be.",
            "RMSE": "Root mean square error; energies per atom, forces per component.",
            "<script>alert(1)</script>": "What must be shown and never run & more.",
        },
        provenance=provenance(
            "mechlearn study run transferability --preset quick",
            seed,
            datetime(2026, 3, 1, 9, 30),
            datetime(2026, 3, 1, 9, 33, 41),
            {"machine": "2 cores"},
        ),
    )
