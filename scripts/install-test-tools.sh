#!/usr/bin/env bash
# Installs what the tests use beside Python packages: Postgres and a pooler for it, Redis and s2-lite,
# of which tests start their own; nftables, to lose packets in networks of the tests' own; HAProxy,
# systemd-analyze, compose-go and kustomize, to judge and play deploy/;
# faketime, to set a program's clock, Chromium, to look at the examples' pages, and
# npm packages: the official JavaScript clients, and what the pages are built with. Does nothing when they
# are there, and says what it does when they are not.
# Where nftables, faketime, Chromium, s2-lite or what judges deploy/ cannot be installed it says so, and fails nothing: the tests that want
# it are then skipped, and say so as well. Without the others the tests would prove nothing: a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() {
    echo "install-test-tools: $*" >&2
}

faketime_is_there() {
    [ -n "$(find /usr/lib /usr/local/lib /opt/homebrew/lib -name 'libfaketime*' -print -quit 2>/dev/null)" ]
}

# Namespaces are Linux's; elsewhere there is nothing to cut.
nft_is_there() {
    [ "$(uname)" != Linux ] || command -v nft >/dev/null || [ -x /usr/sbin/nft ]
}

chromium_is_there() {
    [ -n "${HEADRACE_TEST_CHROMIUM:-}" ] ||
        command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null
}

# install PACKAGE WHAT-FOR
install() {
    local without="$1 is missing; tests that $2 will be skipped"
    command -v apt-get >/dev/null || { say "$without (no apt-get here: install it by hand)"; return; }
    [ "$(id -u)" = 0 ] || { say "$without (not root: run 'sudo apt-get install $1' once)"; return; }
    export DEBIAN_FRONTEND=noninteractive
    say "installing $1 with apt-get, once"
    if ! fetch "$1" 2>/dev/null; then
        say "reading the lists of packages"
        apt-get update -q >&2 || { say "$without (apt-get update fails)"; return; }
        fetch "$1" || say "$without (apt-get install fails)"
    fi
}

postgres_is_there() {
    { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 \
        && { command -v pgbouncer || [ -x /usr/sbin/pgbouncer ]; } >/dev/null 2>&1
}

# Debian makes and starts a server of its own when the package is installed; we want none.
install_postgres() {
    command -v apt-get >/dev/null || { echo "install-test-tools: install PostgreSQL and pgbouncer by hand" >&2; exit 1; }
    [ "$(id -u)" = 0 ] || { echo "install-test-tools: run 'sudo apt-get install postgresql pgbouncer' once" >&2; exit 1; }
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/headrace.conf
    echo "install-test-tools: installing PostgreSQL and pgbouncer (Debian's packages), about 60 MB"
    apt-get update -qq >/dev/null
    apt-get install -qq -y postgresql pgbouncer >/dev/null
}

fetch() {
    apt-get install -q -y --no-install-recommends "$1" >&2
}

# install_asleep PACKAGE WHAT-FOR: Debian's package would start a server of its own; we want none.
install_asleep() {
    local policy=/usr/sbin/policy-rc.d made=
    [ "$(id -u)" != 0 ] || [ -e "$policy" ] || { made=yes; printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; }
    install "$1" "$2"
    [ -z "$made" ] || rm -f "$policy"
}

install_redis() {
    command -v apt-get >/dev/null || { say "Redis is missing; no apt-get here: install it by hand"; exit 1; }
    [ "$(id -u)" = 0 ] || { say "Redis is missing: run 'sudo apt-get install redis-server' once"; exit 1; }
    install_asleep redis-server "need Redis"
    command -v redis-server >/dev/null || { say "apt-get could not install redis-server"; exit 1; }
}

nft_is_there || install nftables "cut networks"
faketime_is_there || install faketime "set the clock"
postgres_is_there || install_postgres
chromium_is_there || install chromium "look at pages"
scripts/install-s2-lite.sh
command -v redis-server >/dev/null || install_redis
{ command -v haproxy || [ -x /usr/sbin/haproxy ]; } >/dev/null || install_asleep haproxy "put servers behind a balancer"
command -v systemd-analyze >/dev/null || install systemd "judge systemd units"
scripts/install-deploy-tools.sh
.venv/bin/python -m tests.official_clients.packages
