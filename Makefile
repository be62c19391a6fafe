# `make` alone explains. Every target that needs the environment makes it first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
LOCK := requirements/dev.lock
RUN_LOCK := requirements/run.lock
PYTEST := $(BIN)/pytest
CODE := $(wildcard src tests examples tools bench)
# Programs of several files, each in a folder that is its root.
PROGRAMS := examples/approval-react examples/chat
CHAOS_SEED ?= $(shell date +%s)
CHAOS_PACE ?= 90
# What a newer interpreter is called elsewhere can be said: make setup PYTHON=/opt/python3.13
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)

.PHONY: help
help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
		while IFS=$$'\t' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: $(STAMP) ## Make .venv from the lock; does nothing when it is current

$(STAMP): $(LOCK) pyproject.toml
	@test -n "$(PYTHON)" || { echo "headrace needs Python 3.11 to 3.14; none was found" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: demo
demo: setup ## Run the approval example: draft, wait, be answered, publish
	$(BIN)/python examples/approval/demo.py

# Tests and campaigns start hundreds of processes, of which each would compile the package anew where
# nobody may keep what it compiles; an installed one is compiled.
.PHONY: compiled
compiled: setup
	@$(BIN)/python -m compileall -q src tests bench

# One more than the usual two cores are busy, since many tests wait.
.PHONY: test
test: compiled ## Run every test
	@scripts/install-test-tools.sh
	$(PYTEST) -n 3 --dist worksteal

.PHONY: check
check: lint types test ## Everything a change needs: format, lint, types, tests

.PHONY: fmt
fmt: setup ## Format, and repair what the linter can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: lint
lint: setup ## Check format, lint and spelling
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/codespell

.PHONY: types
types: setup ## mypy and pyright, both strict
	$(BIN)/mypy $(CODE)
	@for place in $(PROGRAMS); do MYPYPATH=$$place $(BIN)/mypy $$place/*.py; done
	$(BIN)/pyright $(CODE)

.PHONY: chaos
chaos: compiled ## Kill real processes 210 times while 10,000 messages are sent (CHAOS_SEED=n repeats one)
	$(BIN)/python -m tests.chaos --seed $(CHAOS_SEED)

.PHONY: chaos-leaving
chaos-leaving: compiled ## Kill 1,100 times while 20,000 messages go to runs that leave while they wait
	$(BIN)/python -m tests.chaos --leaving --seed $(CHAOS_SEED)

.PHONY: chaos-postgres-redis
chaos-postgres-redis: compiled ## Break two servers and the Postgres and Redis they share, 100,000 sends
	$(BIN)/python -m tests.chaos --on postgres+redis --seed $(CHAOS_SEED) --pace $(CHAOS_PACE)

.PHONY: chaos-postgres-redis-s2
chaos-postgres-redis-s2: compiled ## The same with streams in S2
	$(BIN)/python -m tests.chaos --on postgres+redis+s2 --seed $(CHAOS_SEED) --pace $(CHAOS_PACE)

.PHONY: explore
explore: setup ## Go through every order of what four actors do to a run; takes hours
	$(BIN)/python -m tests.explorer

.PHONY: limits
limits: setup ## Send 100,000 messages to one run over HTTP, one more, and read them
	$(BIN)/python -m tests.limits

.PHONY: contract
contract: setup ## Ask every route 50,000 times at random, by the OpenAPI document
	$(BIN)/python -m tests.openapi

.PHONY: operations
operations: setup ## List the operations of the contract again in docs/reference
	$(BIN)/python -m tests.openapi.reference

.PHONY: fuzz
fuzz: setup ## Let Hypothesis look for new examples, 2,000 a test
	HYPOTHESIS_PROFILE=explore $(PYTEST) -n 2 --dist worksteal -m hypothesis --timeout 900

.PHONY: mutants
mutants: setup ## Plant every known bug in turn and demand that its tests notice
	$(BIN)/python tools/mutate.py

.PHONY: bench
bench: compiled ## Measure the whole system as processes over HTTP, fsync on
	$(BIN)/python -m bench

.PHONY: lifecycle
lifecycle: setup ## Draw the life cycle of a run again, by asking the kernel
	$(BIN)/python tools/lifecycle.py

.PHONY: sync
sync: setup ## Write the blocking twins of the sdk's async classes again
	$(BIN)/python tools/unasync.py

.PHONY: exports
exports: setup ## Write down the public names again; the difference is the review
	$(BIN)/python tools/exports.py

.PHONY: lock
lock: ## Resolve the dependencies again into requirements/dev.lock; run.lock is what images need of it
	@test -n "$(PYTHON)" || { echo "headrace needs Python 3.11 to 3.14; none was found" >&2; exit 1; }
	@rm -rf .cache/lock && $(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@mkdir -p $(dir $(LOCK))
	.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --all-extras --group dev \
		--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock" \
		--output-file $(LOCK) pyproject.toml
	.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
		--extra postgres --extra pydantic --extra redis --extra s2 --constraint $(LOCK) \
		--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock" \
		--output-file $(RUN_LOCK) pyproject.toml
	@rm -rf .cache/lock

.PHONY: clean
clean: ## Remove the environment and every cache
	rm -rf $(VENV) .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache dist build
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
