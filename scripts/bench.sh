#!/usr/bin/env bash
# Runs the benchmarks and prints the figures, each beside its floor. The whole
# output stays in bin/bench.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
time=${BENCHTIME:-2s}
out=bin/bench.txt
mkdir -p bin
: >"$out"

run() { # package, pattern, time, further flags
	local package=$1 pattern=$2 time=$3
	shift 3
	echo "== $package $pattern" | tee -a "$out"
	"$go" test "./$package" -run '^$' -bench "$pattern" -benchtime "$time" -benchmem -timeout 60m "$@" | grep -vE '^(PASS|ok)' | tee -a "$out"
}

{
	echo "$(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | sed 's/^ //'), $(uname -sr), $("$go" version | cut -d' ' -f3)"
} | tee -a "$out"
run iec104/asdu . "$time"
run iec104 "^Benchmark([A-LN-Z]|M[^i])" "$time"
run iec104 Minute 1x -memprofilerate 512 -memprofile bin/minute.mem -o bin/iec104.test
"$go" tool pprof -sample_index=alloc_space -top -nodecount 10 bin/iec104.test bin/minute.mem 2>/dev/null | sed -n '/flat%/,$p' | tee -a "$out"
run internal/mapping . "$time"
run internal/image . "$time"
run internal/image/journal . "$time"
run internal/connector . "$time"
run internal/connectors/iec104server . "$time"
run internal/connectors/iec104client Events "$time"
run internal/connectors/iec104client ManyStations 1x
run internal/plant . 1x
run internal/store Plant 3x
run internal/manage Change 3x
run internal/api Many 3x
run internal/api Values "$time"
run test/bench MQTTToFrame 1x
run test/bench Scale 1x

echo
echo "== ratios to the floor"
awk '/^Benchmark/ { for (i = 2; i < NF; i++) if ($(i+1) ~ /floor|ratio/) printf "%-70s %s %s\n", $1, $i, $(i+1) }' "$out"
