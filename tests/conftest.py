"""What all tests share: shapes checked at run time, hypothesis profiles, the data sets that may be absent."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

CI = bool(os.environ.get("CI"))


def checked_modules() -> list[str]:
    """The modules whose annotations beartype holds them to, found without importing them.

    The hook takes a name *and its submodules*, and decorates innermost, which numba's compiler cannot read:
    hence leaf modules only, and none of the kernels.
    """
    specification = importlib.util.find_spec("mechlearn")
    assert specification is not None
    assert specification.origin is not None
    package = Path(specification.origin).parent
    leaves = (path.relative_to(package.parent).with_suffix("") for path in sorted(package.rglob("*.py")))
    return [".".join(leaf.parts) for leaf in leaves if leaf.name != "__init__" and not leaf.name.endswith("_kernels")]


#: An int will do where a float is asked for, as it does for mypy.
TYPECHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook(checked_modules(), TYPECHECKER)

settings.register_profile("default", deadline=None, max_examples=25)
settings.register_profile(
    "ci", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if CI else "default")


@pytest.fixture(scope="session")
def tungsten_data() -> Path:
    """The folder of the tungsten DFT set: one FitSNAP JSON a structure, a subfolder a group."""
    data = os.environ.get("MECHLEARN_DATA")
    if not data:
        pytest.skip("MECHLEARN_DATA is not set: it names the folder that holds tungsten_dft")
    folder = Path(data) / "tungsten_dft"
    if not folder.is_dir():
        pytest.skip(f"MECHLEARN_DATA has no tungsten_dft: {folder}")
    return folder
