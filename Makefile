# make help lists the targets. Everything runs from a virtual environment of its own; PYTHON=python3.13,
# say, makes it with another Python than python3.
VENV := .venv
BIN := $(VENV)/bin
POETRY_VENV := .cache/poetry
POETRY ?= $(POETRY_VENV)/bin/poetry

# what these lead to is not what is locked
unexport PYTHONHOME PYTHONPATH PYTHONWARNINGS PYTEST_ADDOPTS

.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-lock run test test-units test-setup test-live test-sandbox race mutate-guards crash chaos \
	conformance lint format lock check-lock bench bench-compare try-model up down

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

# Running needs less than working on the project; Poetry needs other things than both.
setup-run:
	@requirements/install "$(VENV)" run project

setup: ## install the locked dependencies and tools into .venv
	@requirements/install "$(VENV)" run project dev

setup-lock:
	@requirements/install "$(POETRY_VENV)" lock

run: setup-run ## run the main job: both services, a goal in words, a plan, the result checked on disk
	$(BIN)/agentic demo

TESTS := -m pytest -q tests \
	--ignore=tests/live --ignore=tests/requirements --ignore=tests/system/race --ignore=tests/system/chaos
SHARED := $(TESTS) -m "not alone" -n 3 --dist worksteal

test: setup ## unit tests and system tests
	$(BIN)/python $(SHARED)
	$(BIN)/python $(TESTS) -m alone

test-units: setup ## the unit tests alone; with COVERAGE=1 their branch coverage too
ifdef COVERAGE
	$(BIN)/coverage erase
	$(BIN)/coverage run $(SHARED) --ignore=tests/system
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=90
else
	$(BIN)/python $(SHARED) --ignore=tests/system
endif

test-setup: setup setup-lock ## set-up itself, beside newer releases of everything: make test-setup PYTHONS="…"
	PYTHONS="$(PYTHONS)" $(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadgroup tests/requirements --timeout=600

test-live: setup ## build the images, bring the compose stack up, test it, take it down
	@docker info >/dev/null 2>&1 || { echo "make test-live needs Docker: no engine answers"; exit 1; }
	@command -v docker-compose >/dev/null || { echo "make test-live needs docker-compose"; exit 1; }
	$(BIN)/pytest -q tests/live --timeout=600

test-sandbox: setup ## every path attack on every operation, with the canary oracle
	$(BIN)/pytest -q tests/execution_environment/sandbox/test_path_attacks.py

race: setup ## clients against a program that swaps what they name: make race SECONDS=60 (needs gcc)
	SECONDS=$(or $(SECONDS),60) $(BIN)/pytest -q tests/system/race --timeout=7200

mutate-guards: setup ## drop each guard in turn, in a copy: a test must turn red
	$(BIN)/python -m tests.mutate_guards

crash: setup ## SIGKILL at random moments, restart, retry: make crash ROUNDS=200 (SEED=n repeats)
	ROUNDS=$(or $(ROUNDS),50) SEED=$(or $(SEED),4711) $(BIN)/pytest -q tests/system/crash --timeout=7200

chaos: setup ## processes, stores and models fail while runs go on: make chaos RUNS=200 (SEED=n repeats)
	RUNS=$(or $(RUNS),50) SEED=$(or $(SEED),4711) $(BIN)/pytest -q tests/system/chaos --timeout=7200

conformance: setup ## the protocol's own suite against the door for MCP clients (needs npm and Node.js 22)
	$(BIN)/python -m tests.conformance

lint: setup ## Ruff, Black, mypy (strict) and the import contracts
	$(BIN)/ruff check .
	$(BIN)/black --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let Ruff and Black rewrite what they can
	$(BIN)/ruff check --fix .
	$(BIN)/black -q .

# One file for each way of installing, so that set-up and images need pip alone.
define write_exports
	$(POETRY) export -q --extras services --extras llm --with build -o $(1)/run.txt
	$(POETRY) export -q --all-extras --with build,dev -o $(1)/dev.txt
	$(POETRY) export -q --with build -o $(1)/client.txt
	$(POETRY) export -q --only exec-env,build -o $(1)/exec-env.txt
	$(POETRY) export -q --only orchestrator,build -o $(1)/orchestrator.txt
	$(POETRY) export -q --only lock -o $(1)/lock.txt
endef

lock: setup-lock ## lock the dependencies anew and write requirements/*.txt
	$(POETRY) lock
	$(call write_exports,requirements)

check-lock: setup-lock ## pyproject.toml, poetry.lock and requirements/*.txt must say the same
	$(POETRY) check --lock
	rm -rf .cache/requirements && mkdir -p .cache/requirements
	$(call write_exports,.cache/requirements)
	diff -r -x install requirements .cache/requirements

bench: setup ## measure, as ratios against a floor in the same run: make bench PARTS="calls runs" (none: all)
	$(BIN)/python -m bench $(PARTS)

bench-compare: setup ## measure another revision in turn with this directory: make bench-compare REV=main PARTS="calls runs"
	$(BIN)/python -m bench.compare "$(or $(REV),HEAD)" $(or $(PARTS),calls runs)

try-model: setup ## run real tasks with a real model: make try-model BASE_URL=… MODEL=… (CONTEXT=tokens, TASKS=words)
	@$(BIN)/python -m bench.try_model --model "$(MODEL)" --base-url "$(BASE_URL)" \
		$(if $(CONTEXT),--context "$(CONTEXT)") --tasks "$(TASKS)"

up: setup-run ## start both services and keep them serving until Ctrl-C
	$(BIN)/agentic up

down: setup-run ## stop what `make up` keeps serving
	$(BIN)/agentic down
