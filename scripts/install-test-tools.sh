#!/usr/bin/env bash
# Installs what the tests use beside Python packages: faketime, to set a program's clock, and the
# official JavaScript clients. Does nothing when they are there.
# Where faketime cannot be installed it says so, and fails nothing: the tests that want it are then
# skipped, and say so as well. Without the clients the tests would prove nothing: that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

faketime_is_there() {
    [ -n "$(find /usr/lib /usr/local/lib /opt/homebrew/lib -name 'libfaketime*' -print -quit 2>/dev/null)" ]
}

without_faketime() {
    echo "install-test-tools: faketime is missing ($1); tests that set the clock will be skipped" >&2
}

install_faketime() {
    command -v apt-get >/dev/null || { without_faketime "no apt-get here: install libfaketime by hand"; return; }
    [ "$(id -u)" = 0 ] || { without_faketime "not root: run 'sudo apt-get install faketime' once"; return; }
    export DEBIAN_FRONTEND=noninteractive
    if ! apt-get install -qq -y faketime >/dev/null 2>&1; then
        apt-get update -qq >/dev/null 2>&1 || { without_faketime "apt-get update fails"; return; }
        apt-get install -qq -y faketime >/dev/null 2>&1 || without_faketime "apt-get install fails"
    fi
}

faketime_is_there || install_faketime
.venv/bin/python -m tests.official_clients.packages
