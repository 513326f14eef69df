# Every target works on a fresh clone: it makes .venv and installs the pinned packages first, without root rights.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DOCS   := $(VENV)/.docs-installed
PEERS  := .venv-peers/.installed
OUT    ?= demo-output

# Two test processes: more gain nothing on the two cores that a public runner has.
PYTEST_WORKERS ?= 2

# The real DFT set is not part of the repository; where a copy lies beside the checkout, the tests use it.
ifndef MECHLEARN_DATA
ifneq ($(wildcard ../shared/data),)
export MECHLEARN_DATA := $(abspath ../shared/data)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-durability lint format bench bench-equations docs clean

help:  ## what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(DOCS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

demo: $(STAMP)  ## the main job on a small scale: data, potentials, transfer matrix, report (minutes)
	$(BIN)/mechlearn study run transferability --preset quick --out $(OUT)

test: $(STAMP)  ## the tests and the examples in the docstrings
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

test-durability: $(STAMP)  ## kills, failing disks and a cluster at length (half an hour)
	$(BIN)/python -m pytest -n 0 -m slow tests/durability tests/structures/test_store.py

lint: $(STAMP)  ## style, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## rewrite the files in the house's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(PEERS): benchmarks/peers/requirements.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers/requirements.txt
	@touch $@

bench: $(STAMP) $(PEERS)  ## speed and accuracy of the hot paths, beside the tools people would use otherwise
	@for benchmark in benchmarks/bench_*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; done
	$(BIN)/python benchmarks/rows.py

bench-equations: $(STAMP)  ## equations found, symmetries, crystals and coordinates, beside PySINDy (an hour; data in MECHLEARN_DATA)
	$(BIN)/python benchmarks/equations_pde.py $(MECHLEARN_DATA)/equations
	$(BIN)/python benchmarks/equations_symmetry.py
	$(BIN)/python benchmarks/crystal_interactions.py
	$(BIN)/python benchmarks/coordinates.py

docs: $(DOCS)  ## the site (tutorials, how-to, explanation, reference), in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
