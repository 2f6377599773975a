#!/usr/bin/env bash
# Run the packages that have tests with the build tag chaos, those tests included,
# and show what each case expects and what was seen. The whole output is kept in
# bin/chaos.log. Arguments go to go test, as in: scripts/chaos.sh -run HotSwaps
# With SOAK, as in SOAK=20m, nothing but the mix of random faults runs, for so long;
# SOAK_SEED repeats the mix that another run's line "seed" names.
set -euo pipefail
cd "$(dirname "$0")/.."

log=bin/chaos.log
mkdir -p bin
mapfile -t packages < <(grep -rl --include='*_test.go' '^//go:build chaos' . | xargs -n1 dirname | sort -u)
limit=60m
extra=()
if [ -n "${SOAK:-}" ]; then
	packages=(./cmd/gateway/e2e)
	limit=0
	set -- -run '^TestSoak$' "$@"
	extra=(-args -soak="$SOAK" -soak-seed="${SOAK_SEED:-0}")
fi
echo "packages: ${packages[*]}"
echo "case | expected | seen"
status=0
"${GO:-go}" test -tags chaos -count=1 -timeout "$limit" -v "$@" "${packages[@]}" "${extra[@]}" 2>&1 | tee "$log" |
	grep --line-buffered -E ' \| .* \| |: seed [0-9]|^ *--- FAIL|^(FAIL|ok|panic)' | sed -u -E 's/^ +[a-z_]+_test\.go:[0-9]+: //' || status=$?
if [ "$status" -ne 0 ]; then
	echo "failed; the whole output is in $log"
fi
exit "$status"
