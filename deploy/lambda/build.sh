#!/usr/bin/env bash
# Make the package that AWS Lambda runs: a folder, and the same as a zip file.
#
#   deploy/lambda/build.sh [FOLDER [PYTHON_VERSION]]
#
# FOLDER is build/lambda unless given: it gets FOLDER/package and FOLDER/imagette-lambda.zip.
# PYTHON_VERSION must be that of the `Runtime` in template.yaml; 3.13 unless given.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${1:-build/lambda}
version=${2:-3.13}
python=${PYTHON:-python3}
package=$folder/package

if [ "$version" != "$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')" ]; then
    echo "Run this with Python $version: PYTHON=python$version deploy/lambda/build.sh" >&2
    exit 1
fi
rm -rf "$package" "$folder/imagette-lambda.zip"
mkdir -p "$package"

pip=("$python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" wheel --no-deps --wheel-dir "$folder" .
# Lambda's Linux for Python 3.12 and later is Amazon Linux 2023, with glibc 2.34.
"${pip[@]}" install --target "$package" --no-compile --only-binary :all: \
    --python-version "$version" --implementation cp --abi "cp${version/./}" --abi abi3 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --constraint constraints.txt "$(ls "$folder"/imagette-*.whl)[heif,lambda]"
rm "$folder"/imagette-*.whl

# What the command line, the server of the other targets, and training need, and tests.
cd "$package"
rm -rf bin granian typer rich pygments markdown_it mdurl shellingham
rm -rf onnxruntime/quantization onnxruntime/tools onnxruntime/transformers
find numpy -type d -name tests -prune -exec rm -rf {} +

# Lambda's disk cannot be written to, so Python would compile every module at every start. The files
# hold whatever time a zip file's entry is given.
"$python" -m compileall -q --invalidation-mode unchecked-hash .

"$python" -m zipfile -c ../imagette-lambda.zip ./*
echo "$(du -sm --apparent-size . | cut -f1) MB unpacked (Lambda takes 250)," \
    "$(du -m --apparent-size ../imagette-lambda.zip | cut -f1) MB as a zip file:" \
    "$folder/imagette-lambda.zip"
