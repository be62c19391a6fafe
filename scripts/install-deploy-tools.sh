#!/usr/bin/env bash
# Builds the programs that judge deploy/: compose-go, Docker's own reader of Compose files, and kustomize.
# Once, into a cache outside this tree, by Go, which proves by sums what it fetches. About a minute.
# Where they cannot be built it says why, and fails nothing: the tests with them are then skipped, and say so.
set -euo pipefail

KUSTOMIZE=v5.5.0
COMPOSE="$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/deploy/compose" && pwd)"
EDITION="$(cat "$COMPOSE/main.go" "$COMPOSE/go.mod" "$COMPOSE/go.sum" | cksum | cut -d' ' -f1)"
ROOT="${XDG_CACHE_HOME:-$HOME/.cache}/headrace/deploy-tools-$KUSTOMIZE-$EDITION"

say() { echo "install-deploy-tools: $*" >&2; }
without() {
    say "compose-go and kustomize are missing ($1); tests on deploy/ that use them will be skipped"
    exit 0
}

if [ "${1:-}" = --where ]; then
    echo "$ROOT"
    exit 0
fi
[ ! -x "$ROOT/compose-go" ] || [ ! -x "$ROOT/kustomize" ] || exit 0
command -v go >/dev/null || without "go is missing: install Go 1.23 or newer"

mkdir -p "$ROOT"
exec 9>"$ROOT/.building"
! command -v flock >/dev/null || flock 9
[ ! -x "$ROOT/compose-go" ] || [ ! -x "$ROOT/kustomize" ] || exit 0

say "building compose-go and kustomize $KUSTOMIZE into $ROOT, once"
LOG="$ROOT/build.log"
run() {
    nice -n 5 "$@" >>"$LOG" 2>&1 ||
        { tail -n 3 "$LOG" >&2; without "'$*' fails with $(go version); see $LOG"; }
}
run env GOBIN="$ROOT" go install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE"
run go build -C "$COMPOSE" -mod=readonly -o "$ROOT/compose-go" .
say "compose-go and kustomize are there"
