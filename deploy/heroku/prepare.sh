#!/usr/bin/env bash
# Make the folder that is pushed to Heroku: the package, and what Heroku wants at the top.
#
#   deploy/heroku/prepare.sh [FOLDER]
#
# FOLDER is build/heroku unless given. What else lies in it (its .git) stays.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${1:-build/heroku}
python=${PYTHON:-python3}
mkdir -p "$folder"
rm -f "$folder"/imagette-*.whl
"$python" -m pip --disable-pip-version-check --quiet wheel --no-deps --wheel-dir "$folder" .
cp deploy/heroku/Procfile deploy/heroku/app.json deploy/heroku/.python-version constraints.txt \
    "$folder"
wheel=$(basename "$folder"/imagette-*.whl)
printf '%s\n' "--constraint constraints.txt" "./$wheel[heif]" >"$folder/requirements.txt"
echo "Ready to be pushed: $folder"
