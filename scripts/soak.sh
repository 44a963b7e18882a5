#!/usr/bin/env bash
# Runs the fault tests with BUSBAR_SOAK_KILLS rounds each (50) and prints what
# they have counted. The whole output stays in bin/soak.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
export BUSBAR_SOAK_KILLS=${BUSBAR_SOAK_KILLS:-50}
out=bin/soak.txt
failed=0
mkdir -p bin
: >"$out"

run() { # package, pattern of the tests
	echo "== $1, $BUSBAR_SOAK_KILLS rounds"
	"$go" test "./$1" -run "$2" -count 1 -v -timeout 120m >>"$out" 2>&1 || failed=1
}

begun=$SECONDS
run internal/image/journal 'Kill|PowerCut|Truncation|Full'
run internal/image 'Kill|PowerCut|Truncation|Full'
run internal/store 'Kill'
run iec104 'BadLines'
run test/e2e 'Kill|Cut|SwitchOver|EndOfTheProcess|Restart|Full|ComesAndGoes|RandomChanges'

echo
echo "== figures"
grep -hoE 'soak: .*' "$out" | cut -c7- || true
echo
echo "== $((SECONDS - begun)) s: $(grep -c '^--- PASS' "$out" || true) tests passed, $(grep -c '^--- FAIL' "$out" || true) failed, $(grep -c '^--- SKIP' "$out" || true) skipped"
if ((failed)); then
	grep -E '^(--- FAIL|panic:|FAIL)' "$out" || true
	echo "see $out"
	exit 1
fi
