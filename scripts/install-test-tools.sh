#!/usr/bin/env bash
# Installs what the tests use beside Python packages: faketime, to set a program's clock.
# Does nothing when it is there; says so, and fails nothing, where it cannot be installed:
# the tests that want it are then skipped, and say so as well.
set -euo pipefail

if [ -n "$(find /usr/lib /usr/local/lib /opt/homebrew/lib -name 'libfaketime*' -print -quit 2>/dev/null)" ]; then
    exit 0
fi

skip() {
    echo "install-test-tools: faketime is missing ($1); tests that set the clock will be skipped" >&2
    exit 0
}

command -v apt-get >/dev/null || skip "no apt-get here: install libfaketime by hand"
[ "$(id -u)" = 0 ] || skip "not root: run 'sudo apt-get install faketime' once"
export DEBIAN_FRONTEND=noninteractive
if ! apt-get install -qq -y faketime >/dev/null 2>&1; then
    apt-get update -qq >/dev/null 2>&1 || skip "apt-get update fails"
    apt-get install -qq -y faketime >/dev/null 2>&1 || skip "apt-get install fails"
fi
