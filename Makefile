# make demo   installs what serving needs and shows the shipped model on a web page
# make quick  installs everything and runs the tests that take no long time
# make test   runs all tests

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PYTEST = $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist worksteal
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo quick test coverage wheel lint format docs test-tensorflow constraints clean

demo: $(VENV)/serves
	$(BIN)/imagette demo

quick: $(VENV)/develops
	tests/install_programs.sh
	$(PYTEST) -m "not slow"

test: $(VENV)/develops
	tests/install_programs.sh
	$(PYTEST)

# Which lines of the package no test reaches; a third slower than `make test` by Python 3.11.
coverage: $(VENV)/develops
	tests/install_programs.sh
	$(PYTEST) --cov --cov-report=term

# Builds what is published, and tries it in an environment of its own.
wheel: $(VENV)/develops
	PYTHON=$(BIN)/python tools/try_wheel.sh

lint: $(VENV)/develops
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/develops
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/nbstripout notebooks/*/*.ipynb

# The documentation site, in English and French; a broken link fails it, and a fault that would keep
# somebody from reading it.
docs: $(VENV)/develops
	$(BIN)/python tools/build_site.py
	$(BIN)/pytest --quiet tests/outside/site_is_accessible.py

# Our .keras and .h5 files must open in TensorFlow too; it gets an environment of its own.
test-tensorflow: $(VENV)/develops $(VENV)-tensorflow/installed
	$(BIN)/python tests/outside/tensorflow_opens_our_files.py $(VENV)-tensorflow/bin/python

# Pins everything to today's newest; run the tests before you commit the result.
constraints:
	tools/freeze.sh $(PYTHON)

clean:
	rm -rf $(VENV) $(VENV)-tensorflow build dist site .cache .coverage*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/serves: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[webapp]'
	@touch $@

# PyTorch comes first and alone, so that no other package chooses its build.
$(VENV)/develops: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) torch
	$(PIP) --editable '.[train,webapp,heif,video,otel,ray,docs,dev]'
	@touch $@

$(VENV)-tensorflow/installed:
	$(PYTHON) -m venv $(VENV)-tensorflow
	$(VENV)-tensorflow/bin/python -m pip --disable-pip-version-check install --quiet tensorflow-cpu==2.21.0
	@touch $@
