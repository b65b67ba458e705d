# Every task of the project; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(if $(shell command -v $(p)),$(p))))
VENV := .venv
BIN := $(VENV)/bin
# Tests mostly wait: twice as many processes as cores, each with a Postgres of its own (in memory where there is plenty, see
# tests/places.py). A module stays in one process, for what its tests share is dear to set up.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? 2 * n : 8)))

# Tests start roles hundreds of times: what Python compiled once is kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

run: export TIDEGAUGE_LOG_FORMAT ?= console
run: export TIDEGAUGE_LOG_LEVEL ?= warning

.DEFAULT_GOAL := help
.PHONY: help run test check format bench lock clean

help: ## list the tasks
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.runtime: deploy/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("tidegauge needs Python 3.11 or newer; found " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo "compiling (some seconds, once)"
	@$(BIN)/python -c 'from service.aggregate.pipeline import compile_all; compile_all(); from service.ingest.plain import packer; packer.compile_all(); from service.kafka import haul; haul.prepare()'
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime deploy/requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements-dev.txt
	@touch $@

run: $(VENV)/.runtime ## start everything on this machine: Postgres, API, aggregator, evaluator (ARGS="--no-demo" for an empty one)
	@exec $(BIN)/tidegauge up $(ARGS)

test: $(VENV)/.dev tools ## all checks and tests, with all they need (WORKERS=4 ARGS="-k ledger")
	$(MAKE) check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder --cov --cov-report=term:skip-covered $(ARGS)

.PHONY: tools
tools: # what tests use beside Python: promtool, and a Kafka broker
	@deploy/install-tools.sh

.PHONY: soak
soak: $(VENV)/.dev tools ## kill everything at random moments, for longer than `make test` does (ARGS="--seed 7 --kills 500")
	$(BIN)/python -m pytest -s tests/e2e/test_chaos.py --kills 200 --seed $$RANDOM $(ARGS)

.PHONY: stack
stack: $(VENV)/.dev tools ## Kafka, Postgres, Prometheus, Alertmanager, two APIs, two aggregators, an evaluator (ARGS="--shift 10000")
	@exec $(BIN)/python -m tests.e2e.run_stack $(ARGS)

check: $(VENV)/.dev ## style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## bring the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: kpi-docs
kpi-docs: $(VENV)/.runtime ## write the pages of docs/kpis from the heads of the catalog
	$(BIN)/tidegauge kpi-docs docs/kpis

.PHONY: rules
rules: $(VENV)/.runtime ## write Prometheus's rules of the installation to deploy/prometheus/rules (those of tenants: `tidegauge rules`)
	$(BIN)/tidegauge rules --no-tenants --output deploy/prometheus/rules

.PHONY: dashboards
dashboards: $(VENV)/.dev ## write Grafana's dashboards from the heads of the catalog
	$(BIN)/python -m service.dashboards deploy/grafana/dashboards

.PHONY: dashboards-types
dashboards-types: $(VENV)/.dev ## hold every field of the dashboards against the types that Grafana publishes (needs npm)
	mkdir -p build/grafana && cp deploy/grafana/schema/*.json build/grafana
	npm ci --prefix build/grafana --no-audit --no-fund --loglevel=error
	$(BIN)/python -m service.dashboards.typescript build/grafana
	build/grafana/node_modules/.bin/tsc -p build/grafana

bench: $(VENV)/.runtime ## ingest and aggregate events per CPU-second, event-to-visible latency
	$(BIN)/python -m loadtests.bench $(ARGS)

lock: ## pin the dependencies again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra build pyproject.toml -o deploy/requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra build --extra dev -c deploy/requirements.txt pyproject.toml -o deploy/requirements-dev.txt

clean: ## remove the environment and the caches; data in .tidegauge stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
