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

run() { # package, pattern, time
	echo "== $1 $2" | tee -a "$out"
	"$go" test "./$1" -run '^$' -bench "$2" -benchtime "$3" -benchmem -timeout 60m | grep -vE '^(PASS|ok)' | tee -a "$out"
}

{
	echo "$(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | sed 's/^ //'), $(uname -sr), $("$go" version | cut -d' ' -f3)"
} | tee -a "$out"
run iec104/asdu . "$time"
run iec104 . "$time"
run internal/mapping . "$time"
run internal/image . "$time"
run internal/image/journal . "$time"
run internal/connector . "$time"
run internal/connectors/iec104server . "$time"
run internal/connectors/iec104client Events "$time"
run internal/connectors/iec104client ManyStations 1x
run internal/plant . 1x
run test/bench MQTTToFrame 1x
run test/bench Scale 1x

echo
echo "== ratios to the floor"
awk '/^Benchmark/ { for (i = 2; i < NF; i++) if ($(i+1) ~ /floor|ratio/) printf "%-70s %s %s\n", $1, $i, $(i+1) }' "$out"
