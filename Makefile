# Everything a developer or an operator runs by hand; `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help setup demo simulate test lint format bench screenshots lock clean

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

test: setup ## Run the whole test suite against a real Redis (ARGS="-k words" picks tests)
	@$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

lint: setup ## Formatter check, linter, strict type check, walls
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: setup ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench: setup ## Measure speed, memory and storage beside baselines (ARGS=--short for a quick look, --backtest, --calls)
	@$(BIN)/python -m bench $(ARGS)

screenshots: setup ## Play the demo's story and take the pictures of docs/console.md (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean: ## Remove what the set-up and the tests made
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
