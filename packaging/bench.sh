#!/usr/bin/env bash
# Runs the benchmark suite and prints every published table: published, measured, ratio, and the checks with targets.
#
#   packaging/bench.sh [--table ID ...] [--json FILE] [--markdown FILE] [--quick] [--preset NAME]
#
# Builds preset `dist` first (what is shipped is what is measured). Exit 0: ran to the end; a missed target is in the
# report, not in the exit status.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
tables=() report=() quick=() preset=dist
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
  case "$1" in
    --table) tables+=(--table "$2"); shift 2 ;;
    --json|--markdown) report+=("$1" "$2"); shift 2 ;;
    --quick) quick=(--quick); shift ;;
    --preset) preset=$2; shift 2 ;;
    -h|--help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
python3 "$root/bench/report.py" "${tables[@]}" >/dev/null   # refuses unknown table names before the long work

build="$root/build/$preset"
(cd "$root" && cmake --preset "$preset" -DVILLAGE_BENCH=ON >/dev/null && cmake --build "$build" >&2)

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
wanted() {   # is any table of this program asked for?
  [ ${#tables[@]} -eq 0 ] && return 0
  local table; for table in "${tables[@]}"; do case "$table" in "$1".*) return 0 ;; esac; done; return 1
}
for program in "$build"/bin/bench_*; do
  name=${program##*/bench_}
  wanted "$name" || continue
  echo "== $name" >&2
  "$program" "${tables[@]}" "${quick[@]}" --villaged "$build/bin/villaged" >"$results/$name.json"
done
shopt -s nullglob
python3 "$root/bench/report.py" "${tables[@]}" "${report[@]}" "$results"/*.json
