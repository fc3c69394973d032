# Everything here needs Python 3.11 or newer and make, nothing else: the rest comes from PyPI into $(VENV).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
export CHROMIUM ?= chromium

.DEFAULT_GOAL := help
.PHONY: help venv demo test check bench states portraits

help:
	@echo "make demo    see it work: a small app, its functions and crons"
	@echo "make test    run every test (ARGS='-k retry' for some)"
	@echo "make check   formatting, lint, types, layers"
	@echo "make bench   measure it on this machine"
	@echo "make states  draw docs/states.md anew from the table of moves"
	@echo "make portraits  pictures of every page of the console, into portraits/"

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
# The console is tested in Chromium, from Debian.
test: $(READY)
	@command -v "$(CHROMIUM)" >/dev/null || { apt-get update --quiet && DEBIAN_FRONTEND=noninteractive \
		apt-get install --yes --quiet chromium fonts-dejavu-core fonts-liberation; } || { echo "the tests need Chromium:" \
		"apt-get install chromium as root, or name another one: CHROMIUM=/path/to/chromium" >&2; exit 1; }
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

portraits: $(READY)
	@$(BIN)/python -m tests.browser.portraits $(ARGS)
