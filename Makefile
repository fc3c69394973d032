# Everything here needs Python 3.11 or newer and make: the rest comes from PyPI into $(VENV), the browser of the tests from Debian.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
COMPILED := $(VENV)/.compiled

# What is imported is compiled the first time, and kept: pip would compile all of it, three times as much.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv demo tools test faults check bench bench-peers states docs portraits binary

help:
	@echo "make demo    see it work: a small app, its functions and crons"
	@echo "make test    run every test (ARGS='-k retry' for some)"
	@echo "make faults  inject every fault as often as the guarantees say (a quarter of an hour), and draw docs/guarantees.md anew"
	@echo "make check   formatting, lint, types, layers"
	@echo "make bench   measure it on this machine"
	@echo "make bench-peers  measure it beside other runners"
	@echo "make states  draw docs/states.md anew from the table of moves"
	@echo "make docs    build the documentation into site/, which a browser reads from the disk"
	@echo "make binary  dist/defer: one file that runs wherever there is Python 3.11 or newer"
	@echo "make portraits  pictures of every page of the console, into portraits/"

venv: $(READY)

$(READY): pyproject.toml
	@echo "installing into $(VENV) (a minute, the first time)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.3' # half the work of Python 3.11's own
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e '.[dev]'
	@touch $@

# What the tests import is compiled once, as pytest rewrites it, instead of in each of its workers. What cannot be
# collected fails where it is run.
$(COMPILED): $(READY)
	@$(BIN)/python -m pytest --collect-only -qq -p no:cacheprovider >/dev/null 2>&1 || true
	@touch $@

demo: $(READY)
	@$(BIN)/python sample_app/src/demo.py

# The console is tested in Chromium, units by systemd-analyze, and deaths at a syscall by strace, all from Debian. Of
# Chromium the tests take the shell: the same engine without windows, which nobody sees, does them with half the work.
tools: $(COMPILED)
	@command -v "$(or $(CHROMIUM),chromium-headless-shell)" >/dev/null || { apt-get update --quiet && \
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet chromium-headless-shell fonts-dejavu-core \
		fonts-liberation; } || command -v "$(or $(CHROMIUM),chromium)" >/dev/null || { echo "the tests need Chromium:" \
		"apt-get install chromium-headless-shell as root, or name another one: CHROMIUM=/path/to/chromium" >&2; exit 1; }
	@command -v systemd-analyze >/dev/null || { apt-get update --quiet && DEBIAN_FRONTEND=noninteractive \
		apt-get install --yes --quiet systemd; } || { echo "the tests need systemd-analyze: apt-get install systemd" \
		"as root" >&2; exit 1; }
	@command -v strace >/dev/null || { apt-get update --quiet && DEBIAN_FRONTEND=noninteractive \
		apt-get install --yes --quiet strace; } || { echo "the tests need strace: apt-get install strace as root" >&2; \
		exit 1; }
	@$(BIN)/python -m compileall -q defer_cli sample_app/src

# Tests wait for processes more than they compute, so there are two workers for each core: three are no faster.
test: tools
	@$(BIN)/python -m pytest -q -n $$((2 * $$(nproc))) --dist worksteal $(ARGS)

# What is timed runs one after the other and has the machine for itself; the others run side by side, as in `test`. A
# fault that breaks a promise leaves the page as it was.
TOLD := $(VENV)/.faults
INJECTED := FAULTS=whole FAULTS_FIGURES=$(abspath $(TOLD)) $(BIN)/python -m pytest -q -o faulthandler_timeout=0 tests/faults \
	tests/store/test_against_a_model.py
faults: tools
	@rm -f $(TOLD)
	@$(INJECTED) -m 'not timed' -n $$((2 * $$(nproc))) --dist worksteal
	@$(INJECTED) -m timed
	@$(BIN)/python -m docs.draw_guarantees $(TOLD)

check: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-logo

# wrk, from Debian, is the public tool that loads the API for W10.
bench: $(READY)
	@command -v wrk >/dev/null || apt-get install --yes --quiet wrk
	@$(BIN)/python -m benchmarks $(ARGS)

# Redis and PostgreSQL come from Debian, peers from PyPI into .bench-peers/. No service is started: the run starts servers
# of its own on loopback and stops them. Writes docs/benchmarks.md.
bench-peers: $(READY)
	@$(BIN)/python -m benchmarks.peers $(ARGS)

states: $(READY)
	@$(BIN)/python docs/draw_states.py > docs/states.md

docs: $(READY)
	@$(BIN)/python -m docs.draw_options > docs/.options.md && mv docs/.options.md docs/options.md
	@$(BIN)/python -m docs.draw_guarantees
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html is its first page"

portraits: $(READY)
	@$(BIN)/python -m tests.browser.portraits $(ARGS)

# One file for Linux with glibc 2.17 or newer, for each Python and each of these machines: what is compiled is in it once
# for each, as wheels of PyPI. Its first lines keep whose Python runs it, because pex goes on in a venv of its own.
DIST ?= dist
BINARY_PYTHONS ?= 3.11 3.12 3.13 3.14
BINARY_MACHINES ?= x86_64 aarch64
binary: $(READY)
	@rm -rf $(DIST)/parts && mkdir -p $(DIST)/parts
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(DIST)/parts .
	@printf '%s\n' 'import os, sys' 'sys.executable = sys.executable or os.readlink("/proc/self/exe")  # without PATH' \
		'os.environ["_DEFER_PYTHON"] = sys.executable' > $(DIST)/parts/first_lines.py
	@$(BIN)/pex $(DIST)/parts/*.whl --console-script defer --output-file $(DIST)/defer --venv --no-build \
		--pip-version 25.3 --python-shebang '/usr/bin/env python3' --preamble-file $(DIST)/parts/first_lines.py \
		--python $(BIN)/python $(foreach machine,$(BINARY_MACHINES),$(foreach version,$(BINARY_PYTHONS),\
		--platform manylinux2014_$(machine)-cp-$(version).0-cp$(subst .,,$(version))))
	@rm -rf $(DIST)/parts
	@ls -lh $(DIST)/defer | awk '{ print $$9 ": " $$5 "B" }'
