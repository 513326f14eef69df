"""What the study says it will cost: every task counted, every stage with a cost."""

from __future__ import annotations

import os

import pytest

from mechlearn.studies.transferability_plan import plan_study
from studies.conftest import tiny


def test_the_plan_counts_the_tasks_and_scales_the_sample() -> None:
    plan = plan_study(tiny(structures=64_000), workers=2)
    assert [stage.tasks for stage in plan.stages] == [1000, 1000, 6, 3, 1, 1, 6]
    assert all(stage.core_seconds > 0 and stage.bytes > 0 for stage in plan.stages)
    for made in plan.stages[:2]:
        assert made.core_seconds == pytest.approx(1000 * made.longest_seconds)
        assert made.wall_seconds(2) == pytest.approx(made.core_seconds / 2)
    assert plan.to_dict()["core_hours"] == pytest.approx(sum(stage.core_seconds for stage in plan.stages) / 3600)
    assert "MECHLEARN_THREADS" not in os.environ
