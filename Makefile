# make help lists the targets. Everything runs from a virtual environment of its own.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
POETRY_VERSION := 2.5.1
EXPORT_VERSION := 1.10.1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run test test-live test-sandbox race mutate-guards crash lint format bench up down

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

setup: $(VENV)/.complete ## install the locked dependencies into .venv

# Poetry resolves and locks; pip installs what it exports, each file checked against its hash.
$(VENV)/.complete: pyproject.toml poetry.lock
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PYTHON) -m venv $(VENV)/poetry
	$(VENV)/poetry/bin/pip install -q poetry==$(POETRY_VERSION) poetry-plugin-export==$(EXPORT_VERSION)
	$(VENV)/poetry/bin/poetry check --lock
	$(VENV)/poetry/bin/poetry export -q --all-extras --with dev -o $(VENV)/requirements.txt
	$(BIN)/pip install -q --require-hashes -r $(VENV)/requirements.txt
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $@

run: setup ## run the main job: both services, a goal in words, a plan, the result checked on disk
	$(BIN)/agentic demo

test: setup ## unit tests and system tests, with branch coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q tests --ignore=tests/live --ignore=tests/system/race
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=90

test-live: setup ## build the images, bring the compose stack up, test it, take it down
	@docker info >/dev/null 2>&1 || { echo "make test-live needs Docker: no engine answers"; exit 1; }
	@command -v docker-compose >/dev/null || { echo "make test-live needs docker-compose"; exit 1; }
	$(BIN)/pytest -q tests/live --timeout=600

test-sandbox: setup ## every path attack on every operation, with the canary oracle
	$(BIN)/pytest -q tests/execution_environment/test_path_attacks.py

race: setup ## clients against a program that swaps what they name: make race SECONDS=60 (needs gcc)
	SECONDS=$(or $(SECONDS),60) $(BIN)/pytest -q tests/system/race --timeout=7200

mutate-guards: setup ## drop each guard of the sandbox in turn, in a copy: a test must turn red
	$(BIN)/python tests/mutate_guards.py

crash: setup ## SIGKILL at random moments, restart, retry: make crash ROUNDS=200 (SEED=n repeats)
	ROUNDS=$(or $(ROUNDS),50) SEED=$(or $(SEED),4711) $(BIN)/pytest -q tests/system/crash --timeout=7200

lint: setup ## Ruff, Black, mypy (strict) and the import contracts
	$(BIN)/ruff check .
	$(BIN)/black --check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let Ruff and Black rewrite what they can
	$(BIN)/ruff check --fix .
	$(BIN)/black -q .

bench: setup ## measure, as ratios against a floor in the same run
	$(BIN)/python -m bench

up: setup ## start both services and keep them serving until Ctrl-C
	$(BIN)/agentic up

down: setup ## stop what `make up` keeps serving
	$(BIN)/agentic down
