# What each target does: make help. POSIX sh; works as root or not.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
TESTS = $(VENV)/.installed-tests
N ?= 40000
RUNS ?= 3

RUN = PYTHONPATH=plugins:. $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: .env help setup demo up down test test-quick test-full coverage lint format docs site screenshots kernel bench clean

help: ## List the targets
	@grep -E '^[a-z.-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Install everything into .venv, at the versions of constraints.txt

# Runs again only when the lists of packages change.
$(STAMP): requirements.txt requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; this is %d.%d. Name another: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing Airflow, PostgreSQL 18 and the libraries of constraints.txt into $(VENV): about two minutes, 800 MB"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $(STAMP)

$(TESTS): $(STAMP) requirements-test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt -c constraints.txt
	@touch $(TESTS)

demo: $(STAMP) ## Load two sample months through a real Airflow, which stays up (PORT=8080)
	$(RUN) -m demo demo

up: $(STAMP) ## Start the same Airflow for Discogs' server, with the DAG paused (PORT=8080)
	$(RUN) -m demo up

down: ## Stop the Airflow of demo or up
	@if test -x $(BIN)/python; then $(RUN) -m demo down; else echo "nothing was installed"; fi

# As many processes as there are processors; pytest prints at the end how long it took.
PARALLEL = -n auto --dist loadfile

test-quick: $(STAMP) ## Run the tests without a running Airflow and without the slow ones: two minutes
	$(BIN)/python -m pytest $(PARALLEL) -m "not airflow and not slow and not full"

# The tests of one process share a running Airflow; three of those keep two processors busy.
test: $(TESTS) ## Run the test suite, with real Airflows: about 25 minutes
	$(BIN)/python -m pytest $(PARALLEL) -m "not airflow and not full"
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "airflow and not full"

test-full: test ## Also run the longest tests, of loads that are killed at each statement: 20 minutes more
	$(BIN)/python -m pytest -m full

coverage: $(TESTS) ## Measure the branch coverage of the library, without a running Airflow: 12 minutes; fails below 95 %
	rm -f .coverage*
	$(BIN)/coverage run -m pytest $(PARALLEL) -m "not airflow and not full"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(STAMP) ## Take the screenshots of the Discogs page (needs Chromium; AIRFLOW=1: of the DAG in the running demo)
	$(RUN) -m docs.$(if $(AIRFLOW),airflow_)screenshots

docs: $(STAMP) ## Write the generated parts of the documentation
	$(RUN) -m docs.generate

site: $(TESTS) docs ## Build the documentation as a site, site/index.html; a broken link is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . site

kernel: $(STAMP) ## Build the parser's WebAssembly module from kernel/ (installs a compiler of 400 MB)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check ziglang -c constraints.txt
	sh kernel/build.sh $(BIN)/python plugins/discogs/records/kernel.wasm

bench: $(STAMP) ## Measure a load (N=40000 RUNS=3 PEER=1 GROWTH=1 SAMPLES=FOLDER), or TRANSFER=1: a download, PAGE=1: the Discogs page, SHARDS=1: shards and the export
	$(RUN) -m benchmarks$(if $(PAGE),.page --changes 10000000,$(if $(TRANSFER),.transfer --runs $(RUNS),$(if $(SHARDS),.shards) --releases $(N) --runs $(RUNS) $(if $(SAMPLES),--samples $(SAMPLES)) $(if $(SHARDS),,$(if $(PEER),--peer) $(if $(GROWTH),--growth))))

.env: ## Write .env for docker-compose.yaml, with secrets, from .env.example
	@$(PYTHON) demo/env_file.py

clean: down ## Delete the local Airflow with its databases and logs
	rm -rf "$${DISCOGS_HOME:-.demo}"
