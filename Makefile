# Everything a developer or an operator runs by hand; `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help setup demo simulate rough test fuzz lint audit format bench chaos docs screenshots lock clean

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Set everything up; quiet when nothing is to do
	@:

$(VENV)/.ready: requirements-dev.lock pyproject.toml deploy/setup.sh
	@bash deploy/setup.sh $(VENV)
	@touch $@

demo: setup ## Play a two-week sprint in about a minute (ARGS=--once ends after it)
	@$(BIN)/python -m service.demo $(ARGS)

simulate: setup ## Play a sprint by chance and check every promise (ARGS="--seed 7 --webhooks off")
	@$(BIN)/python -m service.demo.simulation $(ARGS)

rough: setup ## Play it 20 times while a tenth of all calls to each system fails (ARGS="3 7" picks the seeds)
	@for seed in $(or $(ARGS),$(shell seq 20)); do \
	  printf 'seed %s: ' $$seed; $(BIN)/python -m service.demo --once --rough 0.1 --seed $$seed | tail -n 1; done

fuzz: $(VENV)/.fuzz ## Throw almost right deliveries at the four parsers (ARGS="--seconds 60 --source jira")
	@$(BIN)/python -m fuzz $(ARGS)

$(VENV)/.fuzz: $(VENV)/.ready requirements-fuzz.lock
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes --only-binary :all: \
	  --requirement requirements-fuzz.lock
	@touch $@

test: setup ## Run the whole test suite against a real Redis (ARGS="-k words" picks tests)
	@$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

lint: setup ## Formatter check, linter, strict type check, walls, unsafe code
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml service

audit: setup ## Ask the PyPI advisory database about every pinned dependency; fails where it can't be reached
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	  --requirement requirements-dev.lock 2>$(VENV)/audit.log || \
	  { grep '^Found' $(VENV)/audit.log || echo 'crafty: nothing was audited: the advisory database was not reached,' \
	  'or does not know a dependency; run this with a connection to it. $(VENV)/audit.log says more.'; exit 1; } >&2
	@cat $(VENV)/audit.log

format: setup ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench: setup ## Measure speed, memory and storage beside baselines (ARGS=--short for a quick look, --backtest, --calls)
	@$(BIN)/python -m bench $(ARGS)

chaos: setup ## Kill processes, take other systems away, count what was lost or done twice (ARGS=--short, "--only weekend")
	@$(BIN)/python -m chaos $(ARGS)

docs: $(VENV)/.docs ## Write the pages that are made from the code, and build the site into site/index.html
	@$(BIN)/python -m service.metrics docs/metrics.md
	@$(BIN)/python -m reference
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

$(VENV)/.docs: $(VENV)/.ready requirements-docs.lock
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes --only-binary :all: \
	  --requirement requirements-docs.lock
	@touch $@

screenshots: setup ## Play the demo's story and take the pictures of docs/console.md (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group fuzz -o requirements-fuzz.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group docs -c requirements-dev.lock -o requirements-docs.lock
	echo hatchling | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header - -c requirements-dev.lock -o requirements-build.lock

clean: ## Remove what the set-up and the tests made
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .fuzz site
