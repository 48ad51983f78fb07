#!/usr/bin/env bash
# The tests of the page and of the reports need a Chromium, those of how to serve behind a proxy an
# nginx, those of rates a Redis, those of the monitoring a Prometheus; on Debian and Ubuntu this
# installs what is missing.
set -euo pipefail
has() { PATH=$PATH:/usr/sbin command -v "$@" >/dev/null; }

missing=()
has chromium-headless-shell || has chromium || has chromium-browser || has google-chrome ||
    missing+=(chromium fonts-dejavu-core)
has nginx || missing+=(nginx)
has redis-server || missing+=(redis-server)
{ has prometheus && has promtool; } || missing+=(prometheus)
[ ${#missing[@]} -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "Not found: ${missing[*]}. The tests that need it will be skipped; install it to run them."
    exit 0
fi
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
$sudo apt-get update -qq
if apt-cache show chromium-headless-shell &>/dev/null; then
    missing=("${missing[@]/#chromium/chromium-headless-shell}") # the same, and quicker
fi
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
for service in nginx redis-server prometheus; do
    # Their packages start a server, which nobody has asked for here.
    if [[ " ${missing[*]} " == *" $service "* ]]; then
        $sudo systemctl disable --quiet --now "$service" 2>/dev/null || true
    fi
done
