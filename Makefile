# Commands of the template; `make` alone lists them. Nothing but Python 3.11+ and make is needed.

# This folder's own Poetry, else one on the PATH that works and is new enough: it is asked once
POETRY := $(or $(wildcard .poetry/bin/poetry),$(shell found=$$(command -v poetry) && { \
	[ .venv/poetry -nt "$$found" ] || { version=$$("$$found" --version) \
	&& echo "$$version" | grep -Eq ' (2\.([3-9]|[1-9][0-9])|[3-9]\.)' && { touch .venv/poetry || :; }; }; \
	} 2>/dev/null && echo "$$found"),.poetry/bin/poetry)
PYTHON := .venv/bin/python
SOURCES := hooks scripts tests benchmarks
# ARGS is used by $(value ARGS), as it was typed: make would take its dollars for variables

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install new test test-fast hazards lint format locks newest transcript bench release

help:
	@grep -E '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

new: .venv/installed ## Generate a project beside this folder: ARGS="--no-input project_name='My Shop' -o DIR"
	@$(PYTHON) scripts/new.py -o .. $(value ARGS)

test: .venv/tests-installed ## Run every test
	@$(PYTHON) -m pytest -n 2 --dist worksteal $(value ARGS)

test-fast: .venv/tests-installed ## Run the tests that install nothing
	@$(PYTHON) -m pytest -n 2 --dist worksteal -m 'not slow' $(value ARGS)

hazards: .venv/tests-installed ## Prove each hazard closed and write docs/hazards.md
	@$(PYTHON) -m pytest -n 2 -m hazard --hazards=docs/hazards.md

lint: .venv/tests-installed ## Check style and types of the template's own code
	@$(PYTHON) -m ruff check $(SOURCES)
	@$(PYTHON) -m ruff format --check $(SOURCES)
	@$(PYTHON) -m mypy

format: .venv/tests-installed ## Repair style
	@$(PYTHON) -m ruff check --fix $(SOURCES)
	@$(PYTHON) -m ruff format $(SOURCES)

locks: .venv/installed ## Resolve the poetry.lock of each kind of project anew
	@$(LIKE_PIP) $(PYTHON) scripts/lock.py $(abspath $(POETRY))

newest: locks ## Resolve every lock anew, with the newest releases: the template's own too
	@$(LIKE_PIP) $(POETRY) update --lock

transcript: .venv/tests-installed ## Write and draw what `make new` looks like, for README.md
	@$(PYTHON) scripts/transcript.py

bench: .venv/tests-installed ## Measure, and write docs/benchmarks.md and docs/capacity.md: ARGS="bake --repeat 3"
	@$(PYTHON) -m benchmarks $(value ARGS)

release: ## Date, commit and tag what is new: VERSION=1.2.3
	@python3 scripts/release.py $(VERSION)

.venv/installed: pyproject.toml poetry.lock $(filter .poetry/bin/poetry,$(POETRY))
	@echo "Installing Cookiecutter ..."
	@log=$$($(LIKE_PIP) $(POETRY) install --no-interaction --only main 2>&1) || { echo "$$log" >&2; exit 1; }
	@touch $@

.venv/tests-installed: .venv/installed
	@echo "Installing the tests' tools ..."
	@log=$$($(LIKE_PIP) $(POETRY) sync --no-interaction 2>&1) || { echo "$$log" >&2; exit 1; }
	@touch $@

# Without such a Poetry, this folder gets its own, which uses the index and the certificates
# that pip is set up with, and unlike plain Poetry works with mirrors that serve only PEP 503.
.poetry/bin/poetry:
	@python3 -m venv .poetry
	@log=$$(.poetry/bin/pip install 'poetry>=2.3,<3' 'poetry-plugin-pypi-mirror<1' 2>&1) \
	|| { echo "$$log" >&2; exit 1; }

LIKE_PIP = $(if $(filter %.poetry/bin/poetry,$(POETRY)),env $$($(PIP_SETTINGS)))
PIP_SETTINGS = $(dir $(POETRY))python -c 'from pip._internal.commands import create_command; \
	pip = create_command("install").parser.get_default_values(); \
	print(f"POETRY_PYPI_MIRROR_URL={pip.index_url}", f"REQUESTS_CA_BUNDLE={pip.cert}" * bool(pip.cert))'
