# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Needs Python >= 3.11, make and PyPI. Everything else is put into .venv by the first call.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ANSIBLE := $(BIN)/ansible-playbook
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONUNBUFFERED := 1

.PHONY: help venv demo down kube test test-unit test-lab test-integration test-e2e parity zero-writes chaos chaos-orders \
	bench-orders bench-noop bench-fleet ends lint quality matrix awx-check release-check docs build recording clean

help: ## What can be typed here
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## The project's own virtual environment

$(STAMP): requirements.txt requirements-lab.txt requirements-test.txt lab/bootstrap.sh
	@bash lab/bootstrap.sh $(VENV)
	@touch $@

demo: $(STAMP) ## Break the lab, see the drift, repair it, see it in sync
	@bash lab/demo.sh

down: ## End the lab; nothing stays behind
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m lab down; else echo "No lab is here: $(VENV) was never made."; fi

kube: $(STAMP) ## Build the real Kubernetes API server for the lab (once, about 5 minutes)
	@$(BIN)/python -m lab.cluster.build

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/mypy -p lab
	@$(BIN)/mypy -p ansible_collections.keybuzz.amazon.plugins.module_utils
	@$(BIN)/antsibull-changelog lint

test-unit: $(STAMP) ## The inner loop: tests without any server, but for the slow ones
	@$(BIN)/python -m pytest tests/unit -q -n 2 -m "not slow" --hypothesis-profile inner

test-lab: $(STAMP) ## The lab's own parts against their contracts
	@$(BIN)/python -m pytest tests/lab -q

test-integration: $(STAMP) ## The modules' code against real servers
	@$(BIN)/python -m pytest tests/integration_lab -q

test-e2e: $(STAMP) ## The whole chain, as a user runs it
	@$(BIN)/python -m pytest tests/e2e -q

parity: $(STAMP) ## Check predicts what a repair changes, in each of 256 broken states (PARITY_SEED draws how)
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.parity

zero-writes: $(STAMP) ## Check mode and audits write nothing: every option in every broken state, by the servers' own logs
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.zero_writes

chaos: $(STAMP) ## One right less, kills, races, false servers, echoed secrets: nothing is lost, nobody overwritten
	@rm -f $(addprefix build/evidence/,permission.json kill.json race.json tls.json echo.json)
	@status=0; PERMISSION=all $(BIN)/python -m pytest tests/chaos -q -n 2 --dist loadfile || status=$$?; \
	$(BIN)/python -m tests.chaos || status=1; exit $$status

chaos-orders: $(STAMP) ## Kill, cut and starve the import of orders at every point: no order lost, none doubled (CHAOS_SEED)
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.chaos.orders

bench-orders: $(STAMP) ## How long Amazon makes an import wait, and how fast pages load, beside their peers
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.bench.orders.install
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.bench.load
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.bench.orders.tenants
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.bench.orders

bench-noop: $(STAMP) ## What it costs to find that there is nothing to do, beside an empty playbook and one by hand
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.bench.noop

bench-fleet: $(STAMP) ## The audit of 10 to 10,000 tenants in each of three environments
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.bench.fleet

ends: $(STAMP) ## Both ends of the ranges in requirements.txt: unit tests, real servers and an audit with each
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.ee.ends

quality: $(STAMP) ## ansible-lint (production), antsibull-docs and galaxy-importer on the built tarball
	@$(BIN)/python -m tests.gates.quality

matrix: $(STAMP) ## ansible-test sanity, units and integration on each supported ansible-core (Python 3.11, 3.12 and 3.13)
	@$(BIN)/python -m tests.gates.matrix

release-check: $(STAMP) ## Build, install into an empty place, repair the lab from there, list the materials (SBOM)
	@$(BIN)/python -m tests.gates.release

docs: $(STAMP) ## The documentation site, in build/docs/html
	@$(BIN)/python -m tests.gates.site

awx-check: $(STAMP) ## The objects for AWX against awx.awx, and each job as AWX's execution nodes run it, on the lab
	@PYTHONPATH=$(CURDIR):$(CURDIR)/.collections $(BIN)/python -m tests.awx

test: $(STAMP) ## Everything that CI runs
	@bash tests/run.sh

build: $(STAMP) ## The collection's tarball, in dist/
	@$(BIN)/ansible-galaxy collection build --force --output-path dist

recording: $(STAMP) ## Draw docs/terminal/repair.svg from a real run on the lab
	@$(BIN)/python -m lab up && $(BIN)/python docs/terminal/record.py

clean: down ## Remove what was made here
	@rm -rf $(VENV) build dist reports .mypy_cache .pytest_cache .ruff_cache
