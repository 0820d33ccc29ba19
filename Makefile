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

help: ## This list
	@grep -E '^[a-z.-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Install everything into .venv, from the lock

# Runs again only when the lists of packages change.
$(STAMP): requirements.txt requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; this is %d.%d. Name another: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing Airflow, PostgreSQL 18 and the libraries of the lock into $(VENV): about two minutes, 800 MB"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $(STAMP)

$(TESTS): $(STAMP) requirements-test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt -c constraints.txt
	@touch $(TESTS)

demo: $(STAMP) ## Load two sample months through a real Airflow; it stays up (PORT=8080)
	$(RUN) -m demo demo

up: $(STAMP) ## The same Airflow against Discogs' servers; the DAG is paused (PORT=8080)
	$(RUN) -m demo up

down: ## Stop what demo or up started
	@if test -x $(BIN)/python; then $(RUN) -m demo down; else echo "nothing was installed"; fi

# As many processes as there are processors; pytest prints at the end how long it took.
PARALLEL = -n auto --dist loadfile

test-quick: $(STAMP) ## Test what needs no running Airflow, without the slow tests: two to three minutes
	$(BIN)/python -m pytest $(PARALLEL) -m "not airflow and not slow and not full"

# The tests of one process share a running Airflow; three of those keep two processors busy.
test: $(TESTS) ## Run the test suite, with real Airflows: about 25 minutes
	$(BIN)/python -m pytest $(PARALLEL) -m "not airflow and not full"
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "airflow and not full"

test-full: test ## Also the long tests: a load killed at each statement; 20 minutes more
	$(BIN)/python -m pytest -m full

coverage: $(TESTS) ## Measure the library's branch coverage by the tests that need no running Airflow; fails below 95 %
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

bench: $(STAMP) ## Measure the load beside its floor (N=40000 RUNS=3 PEER=1 GROWTH=1 SAMPLES=FOLDER; TRANSFER=1: a download beside curl; PAGE=1: the answers of the Discogs page; SHARDS=1: 1 to 8 shards, and the export)
	$(RUN) -m benchmarks$(if $(PAGE),.page --changes 10000000,$(if $(TRANSFER),.transfer --runs $(RUNS),$(if $(SHARDS),.shards) --releases $(N) --runs $(RUNS) $(if $(SAMPLES),--samples $(SAMPLES)) $(if $(SHARDS),,$(if $(PEER),--peer) $(if $(GROWTH),--growth))))

.env: ## The secrets of docker-compose.yaml, from .env.example
	@$(PYTHON) demo/env_file.py

clean: down ## Delete the local Airflow with its databases and logs
	rm -rf "$${DISCOGS_HOME:-.demo}"
