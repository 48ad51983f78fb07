#!/usr/bin/env bash
# Write constraints.txt: every package of a fresh full installation, with its version.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${1:-python3}" -m venv "$folder"
torch=$(sed -n 's/^torch==//p' constraints.txt)
"$folder/bin/python" -m pip install --quiet "torch==$torch"
"$folder/bin/python" -m pip install --quiet '.[train,webapp,notebook,heif,video,otel,ray,lambda,fuzz,docs,dev]'
{
    echo "# Versions known to work together; made by \`make constraints\`."
    # PyTorch's build (+cpu, +cu130) and the GPU libraries it brings depend on the machine.
    "$folder/bin/python" -m pip freeze --exclude imagette |
        grep -viE '^(nvidia-|cuda-|triton)' | sed 's/^\(torch==[^+]*\)+.*/\1/'
} >"$folder/constraints.txt"
cp "$folder/constraints.txt" constraints.txt
