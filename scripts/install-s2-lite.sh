#!/usr/bin/env bash
# Builds s2-lite, S2's open server, for the tests of streams in S2: once, into a cache outside this
# tree, by cargo. Does nothing when it is there. Takes many minutes, and says how far it is.
# Where it cannot be built it says why, and fails nothing: the tests on it are then skipped, and say so
# as well; those on a fake S2 run everywhere.
set -euo pipefail

VERSION=0.43.4
ROOT="${XDG_CACHE_HOME:-$HOME/.cache}/headrace/s2-lite-$VERSION"

say() { echo "install-s2-lite: $*" >&2; }
without() {
    say "there is no s2-lite ($1); tests on it will be skipped"
    exit 0
}

if [ "${1:-}" = --where ]; then
    echo "$ROOT/bin/server"
    exit 0
fi
[ ! -x "$ROOT/bin/server" ] || exit 0
command -v cargo >/dev/null || without "cargo is missing: install Rust, or apt-get install cargo"
command -v cc >/dev/null || without "a C compiler is missing: apt-get install build-essential"

mkdir -p "$ROOT"
exec 9>"$ROOT/.building"
if command -v flock >/dev/null && ! flock --nonblock 9; then
    say "another build of s2-lite $VERSION is under way; waiting for it"
    flock 9
    [ ! -x "$ROOT/bin/server" ] || exit 0
fi

say "building s2-lite $VERSION into $ROOT, once; with two cores that takes 10 to 50 minutes"
LOG="$ROOT/build.log"
# Little optimisation: it is built for tests, and quickly.
CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_LTO=off \
    nice -n 5 cargo install --locked s2-lite --version "$VERSION" --bin server --root "$ROOT" 2>&1 |
    tee "$LOG" |
    awk '/Compiling/ && ++count % 25 == 0 { print "install-s2-lite: " count " of about 440 parts built" > "/dev/stderr"; fflush() }' ||
    { tail -n 5 "$LOG" >&2; without "it does not build: $(rustc --version 2>/dev/null); see $LOG"; }
say "s2-lite $VERSION is there"
