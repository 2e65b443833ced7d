# What people type. `make` alone lists the targets.

SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python
UV := .venv/uv/bin/uv
UV_VERSION := 0.13.9
COMMUNITY := tests/community
SYNCED := .venv/.synced
PYTEST := $(PY) -m pytest -m "not proof and not community"

.DEFAULT_GOAL := help
.PHONY: help demo up provision test tiers community check bench chaos proof lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | column -t -s $$'\t'

demo: $(SYNCED) ## everything, with real flights arriving; Ctrl-C stops what it started; TLS=1 for https
	@exec $(PY) manage.py supervise --demo $(if $(TLS),--tls)

up: $(SYNCED) ## the same without the demo project and the flights
	@exec $(PY) manage.py supervise $(if $(TLS),--tls)

provision: $(SYNCED) ## only PostgreSQL with TimescaleDB, and Redis, left running
	@$(PY) manage.py provision

test: $(SYNCED) ## everything CI runs
	@$(PY) manage.py with_servers --tool chromium --tool npm --tool caddy -- $(MAKE) --no-print-directory check tiers

# Each tier is a process of its own: Playwright's event loop and the Community server bear no company.
tiers: community
	$(PYTEST)
	$(PY) -m pytest -m community $(COMMUNITY)
	$(PYTEST) tests/browser
	$(PYTEST) tests/chaos
	$(PYTEST) clients/python/tests

community: $(COMMUNITY)/node_modules/.package-lock.json

$(COMMUNITY)/node_modules/.package-lock.json: $(COMMUNITY)/package-lock.json
	cd $(COMMUNITY) && npm ci --legacy-peer-deps --no-audit --no-fund
	@touch $@

check: $(SYNCED) ## ruff, mypy, import-linter, deptry, djlint, migrations, check --deploy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PY) -m mypy
	$(PY) -m mypy --config-file clients/python/pyproject.toml
	.venv/bin/lint-imports
	.venv/bin/deptry .
	cd clients/python && ../../.venv/bin/deptry .
	.venv/bin/djlint --lint templates
	$(PY) manage.py makemigrations --check --dry-run
	@echo "manage.py check --deploy, as in production"
	@DJANGO_SETTINGS_MODULE=config.settings.production STREAMGAUGE_ALLOWED_HOSTS=streamgauge.example \
		STREAMGAUGE_SECRET_KEY="$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(50))')" \
		$(PY) manage.py check --deploy --fail-level WARNING

bench: $(SYNCED) ## figures, beside the limits measured in the same run
	@$(PY) manage.py with_servers -- $(PY) -m tests.benchmarks

chaos: $(SYNCED) ## the fault suite, long ones too
	@$(PY) manage.py with_servers -- $(PY) -m pytest tests/chaos

proof: $(SYNCED) ## the long proofs: whole data sets, kills, soaks
	@$(PY) manage.py with_servers --tool chromium --tool npm --tool caddy -- $(PY) -m pytest -m proof tests

lock: $(SYNCED) ## pin every dependency again
	$(UV) pip compile pyproject.toml --extra demo --extra dev --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --python-version 3.11 -o requirements.lock
	$(UV) pip compile pyproject.toml --extra demo --constraint requirements.lock --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --python-version 3.11 -o deploy/requirements.lock

clean: ## remove what is generated; data under .local/ stays (`manage.py provision --destroy` removes it)
	rm -rf .venv staticfiles test-results $(COMMUNITY)/node_modules .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv is quick and pip is everywhere: pip when uv cannot (another index in pip's configuration, say).
$(SYNCED): requirements.lock pyproject.toml clients/python/pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Installing python3-venv"; \
		$$([ "$$(id -u)" = 0 ] || echo sudo -n) sh -c 'apt-get -qq update && apt-get -qq install -y python3-venv' || { \
		echo "$(PYTHON) lacks its venv module. Ask an administrator to run: apt-get install python3-venv" >&2; \
		exit 1; }; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Streamgauge needs Python 3.11 or newer. Install it, or name it: make PYTHON=/path/to/python3.11 demo" >&2; \
		exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@echo "Installing the Python packages that requirements.lock pins"
	@test -x $(UV) || { $(PYTHON) -m venv .venv/uv && .venv/uv/bin/python -m pip install -q uv==$(UV_VERSION); } || true
	@{ $(UV) pip sync -q --python $(PY) --require-hashes requirements.lock \
		&& $(UV) pip install -q --python $(PY) --no-deps -e . -e clients/python; } \
		|| { $(PY) -m pip install -q --require-hashes -r requirements.lock \
		&& $(PY) -m pip install -q --no-deps -e . -e clients/python; }
	@touch $@
