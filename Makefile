# Everything here needs Python 3.11 or newer and make, nothing else: the rest comes from PyPI into $(VENV).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test check bench states

help:
	@echo "make demo    see it work: a small app, its functions and crons"
	@echo "make test    run every test (ARGS='-k retry' for some)"
	@echo "make check   formatting, lint, types, layers"
	@echo "make bench   measure it on this machine"
	@echo "make states  draw docs/states.md anew from the table of moves"

venv: $(READY)

$(READY): pyproject.toml
	@echo "installing into $(VENV) (a minute, the first time)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/python sample_app/src/demo.py

# Tests wait for processes more than they compute, so there is one worker more than there are cores. What is compiled
# once is not compiled by each of the thousands of commands they start, whatever PYTHONDONTWRITEBYTECODE says.
test: $(READY)
	@$(BIN)/python -m compileall -q defer_cli sample_app/src
	@$(BIN)/python -m pytest -q -n $$(($$(nproc) + 1)) --dist worksteal $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-logo

# wrk, from Debian, is the public tool that loads the API for W10.
bench: $(READY)
	@command -v wrk >/dev/null || apt-get install --yes --quiet wrk
	@$(BIN)/python -m benchmarks $(ARGS)

states: $(READY)
	@$(BIN)/python docs/draw_states.py > docs/states.md
