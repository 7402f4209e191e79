# Every target sets up what it needs: a virtual environment in .venv, and for the tests Debian's
# packages (apt-get, with sudo where needed). SHELL is bash for pipefail.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.runtime
STAMP_DEV := $(VENV)/.development

.PHONY: demo test check fix golden bench soak lock tools clean

demo: $(STAMP)  ## four simulated weeks: prints the table, writes out/
	$(BIN)/gpu-thrift demo -o out

test: $(STAMP_DEV) tools check  ## everything that is checked
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: $(STAMP_DEV)  ## style, types, layers, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_documentation.py

fix: $(STAMP_DEV)  ## what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(STAMP_DEV)  ## writes the golden files anew; read the difference before you commit it
	UPDATE_GOLDEN=1 $(BIN)/pytest -q tests/reports

bench: $(STAMP_DEV) tools  ## prints figures and ratios
	$(BIN)/python -m benchmarks.analyze
	$(BIN)/python -m benchmarks.sleep
	$(BIN)/python -m benchmarks.sizing

COMPILE := $(BIN)/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --strip-extras --no-annotate --no-header --allow-unsafe
GROUPS := import tomllib; groups = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]; \
	print(*groups["test"], *groups["check"], sep="\n")

soak: $(STAMP_DEV) tools  ## half an hour: chaos in every pair, two daemons disturbed, a day of one
	SOAK_PAIRS=1000 SOAK_SECONDS=600 $(BIN)/pytest -s tests/e2e/daemons/test_chaos.py \
		tests/e2e/daemons/test_rivals.py
	$(BIN)/python -m benchmarks.soak

lock: $(STAMP_DEV)  ## pins every dependency anew, with hashes
	$(COMPILE) -o requirements.lock pyproject.toml
	$(BIN)/python -c '$(GROUPS)' | $(COMPILE) -c requirements.lock -o requirements-dev.lock -

tools:
	@./tests/install-tools

clean:
	rm -rf $(VENV) out build *.egg-info

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

$(STAMP_DEV): requirements-dev.lock $(STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
