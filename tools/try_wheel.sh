#!/usr/bin/env bash
# Build the source distribution and the wheel into dist/, and try the wheel in a fresh environment.
#
#   tools/try_wheel.sh
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONPATH
python=${PYTHON:-.venv/bin/python}
rm -rf dist
"$python" -m build --outdir dist >/dev/null # the wheel is built from the source distribution
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet \
    --constraint constraints.txt dist/imagette-*.whl
cd "$folder" # nothing of the repository stands in for what the wheel lacks
venv/bin/imagette --version
samples=$(venv/bin/python -c 'from imagette.assets import list_samples; print(list_samples()[0].path)')
venv/bin/imagette predict "$samples"
