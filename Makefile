# Everything a person does with this repository. `make help` lists it.
# Caches live outside the tree, addressed by content: ${TRADING_OPERATOR_CACHE:-~/.cache/trading-operator}.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
ifeq ($(TRADING_OPERATOR_CACHE)$(HOME),)
$(error neither HOME nor TRADING_OPERATOR_CACHE is set: set one, the cache of built programs goes there)
endif
CACHE := $(or $(TRADING_OPERATOR_CACHE),$(HOME)/.cache/trading-operator)
VENV := $(CACHE)/venv/$(shell cat requirements/test.txt requirements/recorded-data.txt | sha256sum | cut -c1-16)
BIN := $(VENV)/bin
export PYTHONPATH := operator:.
# CLUSTER: auto (kind where Docker and kind are, else the embedded one), current (your kubeconfig), kind, embedded.
CLUSTER ?= auto
# IMAGES: with CLUSTER=current, where your registry has the images (registry.example/trading).
IMAGES ?=
# The tests look at files and processes of the node, so they always take this one.
TESTED := --provider embedded
# A test on a busy cluster has a second try; one that needed it is named at the end, as a defect to look at.
ONCE_MORE := --reruns 1
# There the operator is another process: a connection that a test's own proxy left open is told, and fails
# no test that happens to run when Python's collector finds it.
APART := -W default::ResourceWarning -W default::pytest.PytestUnraisableExceptionWarning

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

demo: ## Main job: a cluster, the operator, and a trading system that trades recorded data
	@$(PYTHON) -m demo up --cluster $(CLUSTER) $(if $(IMAGES),--images $(IMAGES))

demo-down: ## Remove everything that the demo made, also after a run that was killed
	@$(PYTHON) -m demo down --cluster $(CLUSTER)

test: check test-unit test-contract test-services test-integration test-e2e ## All tests, on a fresh machine too

test-all: test faults damage ## All tests, every fault point and 10,000 mutated systems (five hours)
	@$(MAKE) test-mutation COUNT=10000

venv: $(BIN)/.done
$(BIN)/.done:
	@echo "Installing the Python packages of the tests (about 1 minute the first time)"
	@$(PYTHON) -m cluster setup --only-venv
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/recorded-data.txt
	@touch $@

setup: ## Debian packages and the cluster's programs (built from source once, about 8 minutes)
	@$(PYTHON) -m cluster setup $(TESTED)

images: setup ## Build the images that changed
	@$(PYTHON) -m images build

check: venv ## Format, lint, types, layers, generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m trading_operator.crdgen --check
	@$(BIN)/python docs/generate_reference.py --check
	@$(BIN)/python docs/generate_acceptance.py --check
	@$(BIN)/python -m bench check
	@$(BIN)/python -m bench.rollback check
	@$(BIN)/python -m bench.backups check
	@$(BIN)/python -m bench.training check

test-unit: venv setup ## Pure layers; no cluster
	@$(BIN)/pytest -n 2 tests/unit

test-contract: venv images ## Every engine and every database image through one suite
	@$(BIN)/pytest --ignore=tests/contract/backup tests/contract
	@rc=0; export FAILURES=$$(mktemp); $(BIN)/pytest -n 2 --dist loadfile $(ONCE_MORE) tests/contract/backup || rc=$$?; cat $$FAILURES; rm $$FAILURES; exit $$rc

test-services: venv images ## The trading services on a real TimescaleDB, with kill -9
	@$(BIN)/pytest -n 2 tests/services

test-integration: venv setup ## The operator on a real API server with fake nodes
	@$(PYTHON) -m cluster up --profile control-plane
	@rc=0; export FAILURES=$$(mktemp); $(BIN)/pytest -n 3 --dist loadfile $(ONCE_MORE) $(APART) tests/integration || rc=$$?; $(BIN)/pytest $(APART) tests/mutation || rc=$$?; $(BIN)/pytest $(APART) tests/faults || rc=$$?; $(PYTHON) -m cluster down --profile control-plane; cat $$FAILURES; rm $$FAILURES; exit $$rc

test-mutation: venv setup ## Mutated systems (COUNT=1000, SEED=, CASES=3,17 repeats): a part of test-integration
	@$(PYTHON) -m cluster up --profile control-plane
	@rc=0; MUTATION_SEED=$(SEED) MUTATION_COUNT=$(COUNT) MUTATION_CASES=$(CASES) $(BIN)/pytest $(APART) tests/mutation || rc=$$?; $(PYTHON) -m cluster down --profile control-plane; exit $$rc

faults: venv setup ## Every fault point (SEED=, POINTS=3,17 repeats): kills, refusals, watches, outages
	@$(PYTHON) -m cluster up --profile control-plane
	@rc=0; FAULTS_ALL=1 FAULTS_SEED=$(SEED) FAULTS_POINTS=$(POINTS) $(BIN)/pytest $(APART) tests/faults/test_faults.py || rc=$$?; $(PYTHON) -m cluster down --profile control-plane; exit $$rc

damage: venv images ## A hundred damaged repositories of backups (SEED=, COUNT=): ten are a part of test-contract
	@DAMAGE_SEED=$(SEED) DAMAGE_COUNT=$(or $(COUNT),100) $(BIN)/pytest tests/contract/backup/test_damage.py

test-faults: venv setup ## Fault points that the day's seed draws (SEED=): a part of test-integration
	@$(PYTHON) -m cluster up --profile control-plane
	@rc=0; FAULTS_SEED=$(SEED) $(BIN)/pytest $(APART) tests/faults || rc=$$?; $(PYTHON) -m cluster down --profile control-plane; exit $$rc

TORCH := $(CACHE)/venv/torch-$(shell cat requirements/model-training-torch.txt requirements/test.txt | sha256sum | cut -c1-16)
test-torch: $(TORCH)/.done ## The PyTorch trainer, on a GPU where there is one (on request: 6 GB of packages)
	@$(TORCH)/bin/pytest --ignore=tests/on_request/node tests/on_request
$(TORCH)/.done:
	@$(PYTHON) -m venv --clear $(TORCH)
	@$(TORCH)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@$(TORCH)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/model-training-torch.txt
	@$(TORCH)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/recorded-data.txt
	@touch $@

test-e2e: venv images ## The whole example on a real node with real containers
	@$(PYTHON) -m cluster up --profile node $(TESTED)
	@rc=0; export FAILURES=$$(mktemp); $(BIN)/pytest $(ONCE_MORE) $(APART) tests/e2e || rc=$$?; $(PYTHON) -m cluster down --profile node $(TESTED); cat $$FAILURES; rm $$FAILURES; exit $$rc

test-torch-node: venv images ## A PyTorch model trained and traded on a real node (on request: a 6 GB image)
	@$(PYTHON) -m cluster up --profile node $(TESTED)
	@rc=0; $(BIN)/pytest $(APART) tests/on_request/node || rc=$$?; $(PYTHON) -m cluster down --profile node $(TESTED); exit $$rc

# BENCH: the size of a run, as `python -m bench run --help` lists it (--systems 1000 --idle-seconds 600).
BENCH ?=
bench: venv setup ## The operator beside a Go operator, Helm and raw clients on a real API server (35 minutes)
	@$(BIN)/python -m bench run $(BENCH)

bench-publish: venv ## Keep the last `make bench` of this size in bench/results and docs/performance.md
	@$(BIN)/python -m bench publish $(BENCH)

# BENCH: `python -m bench.rollback run --help` lists what there is (--runs 20, --kinds crash,hang).
bench-rollback: venv images ## How fast bad changes go back on a real node, beside Helm (an hour)
	@$(BIN)/python -m bench.rollback run $(BENCH)

bench-rollback-publish: venv ## Keep the last `make bench-rollback` of this size, and its tables
	@$(BIN)/python -m bench.rollback publish $(BENCH)

# BENCH: `python -m bench.backups run --help` lists what there is (--rows 3000000, --repetitions 3).
bench-backups: venv images ## Backups and restores beside pg_dump, pg_restore, pg_basebackup (15 minutes)
	@$(BIN)/python -m bench.backups run $(BENCH)

bench-backups-publish: venv ## Keep the last `make bench-backups` of this size, and its tables
	@$(BIN)/python -m bench.backups publish $(BENCH)

# BENCH: `python -m bench.training run --help` lists what there is (--repetitions 8, --rollbacks 3).
bench-training: venv images ## Trainings beside bare Jobs, ways back of models, checkpoints (10 minutes)
	@$(BIN)/python -m bench.training run $(BENCH)

bench-training-publish: venv ## Keep the last `make bench-training` of this size, and its tables
	@$(BIN)/python -m bench.training publish $(BENCH)

crds: venv ## Regenerate the CRDs and the API reference from the models
	@$(BIN)/python -m trading_operator.crdgen
	@$(BIN)/python docs/generate_reference.py
	@$(BIN)/python docs/generate_acceptance.py

fmt: venv ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: venv ## Regenerate the hash-pinned requirements
	@PATH=$(BIN):$$PATH $(PYTHON) -m images lock

cluster-up: ## A local cluster with a real node, without the demo
	@$(PYTHON) -m cluster up --profile node

cluster-down: ## Stop every local cluster and leave nothing behind
	@$(PYTHON) -m cluster down --profile node && $(PYTHON) -m cluster down --profile control-plane

.PHONY: help demo demo-down test venv setup images check test-unit test-contract test-services \
	test-integration test-mutation test-faults faults test-all test-e2e test-torch test-torch-node crds fmt lock cluster-up cluster-down bench bench-publish \
	bench-rollback bench-rollback-publish bench-backups bench-backups-publish bench-training \
	bench-training-publish damage
