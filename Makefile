.DEFAULT_GOAL := help
PYTHON ?= python3
V := .venv/bin

.PHONY: help install run test crash crash-engines faults engines infra clients lint demo bench bench-engines overload rubbish reference lock clean

help: ## show what there is to do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

install: .venv/.installed ## make .venv from the lock file (the only step that needs a network)

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Sluice needs Python 3.11 or newer; set PYTHON=… to one.") if sys.version_info < (3, 11) else None'
	@test -x $(V)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked packages into .venv; this takes a minute the first time."
	@$(V)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(V)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

run: install ## serve on 127.0.0.1:8080 with the embedded log and SQLite under ./data
	@exec $(V)/sluice serve

test: install ## every test that needs no other server or client, and kills none
	@$(V)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

crash: install ## kill it between every two steps of the road, and ROUNDS=200 times at random
	@$(V)/python -m pytest tests/crash
	@CRASH_ROUNDS=$(or $(ROUNDS),200) $(V)/python -m tests.crash

crash-engines: install ## kill workers, API processes, Kafka and PostgreSQL under load, ROUNDS=20 times each
	@CRASH_ROUNDS=$(or $(ROUNDS),20) $(V)/python -m tests.crash_engines

engines: install ## the tests on PostgreSQL and on Kafka, which it brings up from what this machine has
	@TEST_POSTGRES=start TEST_DATABASE=postgres $(V)/python -m pytest tests/infra/dev tests/storage \
		tests/conformance/test_store.py tests/streams/agents tests/api tests/journeys
	@$(V)/python -m pytest tests/engines

infra: install ## a development Kafka and PostgreSQL; data under ./data, addresses in data/infra.env
	@$(V)/sluice infra up

clients: install ## the real clients people have: curl, influxdb-client, influxdb3-python, those of Node, ours
	@$(V)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[clients]'
	@$(V)/python -m pytest tests/clients/test_*.py tests/clients/installed/*.py

faults: install ## power loss, full disks and other faults in place (Linux, root, strace; about five minutes)
	@$(V)/python -m pytest tests/faults -s

lint: install ## ruff and mypy
	@$(V)/ruff check .
	@$(V)/ruff format --check .
	@$(V)/mypy

demo: install ## replay a real public data set through a running broker
	@$(V)/sluice demo

bench: install ## measure, as ratios in one run
	@$(V)/python -m tests.bench

bench-engines: install ## the same on Kafka and PostgreSQL (ROUNDS=3, BACKLOG=5000000 and STORED=10000000 records)
	@$(V)/python -m tests.bench.pair --rounds $(or $(ROUNDS),3) --backlog $(or $(BACKLOG),5000000) \
		--stored $(or $(STORED),10000000) --shared $(or $(SHARED),500000)

overload: install ## twenty times what it can take (SECONDS=120 of each shape)
	@$(V)/python -m tests.overload --seconds $(or $(SECONDS),120)

rubbish: install ## made requests (EXAMPLES=100000 of them), and schemathesis over the document
	@$(V)/python -m tests.rubbish --examples $(or $(EXAMPLES),100000)

reference: install ## write infra/reference.md anew from the code
	@$(V)/python -m tests.house.reference

lock: ## make requirements.lock again from pyproject.toml (needs uv)
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev --extra demo pyproject.toml -o requirements.lock --upgrade

clean: ## remove the environment and caches, never the data
	@rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .hypothesis
