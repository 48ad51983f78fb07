#!/usr/bin/env bash
# The tests of the page and of the reports need a Chromium; on Debian and Ubuntu this installs it.
set -euo pipefail
for browser in chromium chromium-browser google-chrome; do
    command -v "$browser" >/dev/null && exit 0
done
if ! command -v apt-get >/dev/null; then
    echo "No Chromium found: the tests in a browser will be skipped. Install Chromium to run them."
    exit 0
fi
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
