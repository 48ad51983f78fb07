# make demo   installs what serving needs and shows the shipped model on a web page
# make quick  installs everything and runs the tests that take no long time
# make test   runs all tests

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PYTEST = $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist worksteal
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo quick test coverage cluster packages lint format docs test-tensorflow constraints clean

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
	$(PYTEST) --cov --cov-report=
	$(BIN)/pytest tests/cluster --cov --cov-append --cov-report=term

# What works on a Ray cluster, on clusters of two nodes that the tests start on this machine. One
# test at a time, because Ray fills all cores.
cluster: $(VENV)/develops
	$(BIN)/pytest tests/cluster

# Builds what is published and what is deployed, and tries each in an environment of its own.
packages: $(VENV)/develops
	PYTHON=$(BIN)/python tools/try_wheel.sh
	$(PYTEST) tests/packages

lint: $(VENV)/develops
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/develops
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/nbstripout notebooks/*/*.ipynb

# The documentation site, in English and French, and the notebooks that it shows; a broken link fails
# it, a notebook that does not run, and a fault that would keep somebody from reading it.
docs: $(VENV)/develops
	$(BIN)/python tools/build_site.py
	$(PYTEST) tests/outside/site_is_accessible.py tests/outside/notebooks_run.py

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
