# Two doors: `make audit` audits this repository, `make test` passes the tests.
# Each makes .venv and installs what it needs at the versions of constraints.txt, from Python 3.11+ alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# As an environment variable the lock also holds for the environment that pip builds the package in.
INSTALL := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--config-settings editable_mode=compat

# Tests start many interpreters: each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: audit test test-without-torch docs dist lock clean

audit: $(VENV)/installed-audit
	$(BIN)/esper-audit run
	$(BIN)/esper-audit rule --format markdown > reports/rules.md

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

# The tests that need no torch, on another Python: make test-without-torch PYTHON=python3.13 VENV=.venv-3.13
test-without-torch: $(VENV)/installed-without-torch
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow and not torch' $(PYTEST_ARGS)

# The documentation site, in build/site. A dead link is an error.
docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Wheel and sdist, in dist/, with what the index will show of them.
dist: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build twine
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

# Renews constraints.txt: the newest versions of every package that the two doors install, for every platform.
lock: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--custom-compile-command 'make lock' --output-file constraints.txt pyproject.toml constraints.in

# The claims of this repository's tickets run tests, so the audit installs what tests need.
$(VENV)/installed-audit: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[torch,test]'
	touch $@

$(VENV)/installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[torch,dev]'
	touch $@

$(VENV)/installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[docs]'
	touch $@

$(VENV)/installed-without-torch: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV)
