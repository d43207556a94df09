# Commands of the template; `make` alone lists them. Nothing but Python 3.11+ and make is needed.

POETRY := $(or $(shell command -v poetry),.poetry/bin/poetry)
PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help install new test test-fast lint format locks bench

help:
	@grep -E '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

new: .venv/installed ## Generate a project beside this folder: ARGS="--no-input project_name='My Shop' -o DIR"
	@$(PYTHON) scripts/new.py -o .. $(ARGS)

test: .venv/tests-installed ## Run every test
	@$(PYTHON) -m pytest -n 2 $(ARGS)

test-fast: .venv/tests-installed ## Run the tests that install nothing
	@$(PYTHON) -m pytest -n 2 -m 'not slow' $(ARGS)

lint: .venv/tests-installed ## Check style and types of the template's own code
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy

format: .venv/tests-installed ## Repair style
	@$(PYTHON) -m ruff check --fix
	@$(PYTHON) -m ruff format

locks: .venv/installed ## Resolve the poetry.lock of each kind of project anew
	@$(MIRROR) $(PYTHON) scripts/lock.py $(abspath $(POETRY))

bench: .venv/tests-installed ## Measure
	@$(PYTHON) -m benchmarks

.venv/installed: pyproject.toml poetry.lock $(filter .poetry/bin/poetry,$(POETRY))
	@$(MIRROR) $(POETRY) sync --quiet --only main
	@touch $@

.venv/tests-installed: .venv/installed
	@$(MIRROR) $(POETRY) sync --quiet
	@touch $@

# Without Poetry on the PATH, this folder gets its own, which asks pip for the package index:
# unlike plain Poetry it also works with the mirrors that serve no more than PEP 503.
.poetry/bin/poetry:
	@python3 -m venv .poetry
	@.poetry/bin/pip install -qq 'poetry>=2.3,<3' 'poetry-plugin-pypi-mirror<1'

MIRROR = $(if $(filter .poetry/bin/poetry,$(POETRY)),POETRY_PYPI_MIRROR_URL="$$($(PIP_INDEX))")
PIP_INDEX = .poetry/bin/python -c 'from pip._internal.commands import create_command as c; \
	print(c("install").parser.get_default_values().index_url)'
