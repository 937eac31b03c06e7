#!/usr/bin/env bash
# Runs the benchmark suite and prints every published table: published, measured, ratio, and the checks with targets.
#
#   packaging/bench.sh [--table ID ...] [--json FILE] [--markdown FILE] [--quick] [--preset NAME]
#
# Builds preset `dist` first (what is shipped is what is measured). Exit 0: ran to the end; a missed target is in the
# report, not in the exit status. Peers (nginx, nghttpd, h2load, yamux, a crate by cargo) come by install-deps.sh --bench;
# without one its check says not run.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
tables=() report=() quick=() preset=dist
usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }
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

# Peers of ours in other languages. One that cannot be built is a check that says so.
peers="$build/peers"
mkdir -p "$peers"
if command -v go >/dev/null && [ -d /usr/share/gocode/src/github.com/hashicorp/yamux ]; then
  GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$peers/yamux-peer" "$root/bench/peers/yamux/main.go" >&2 ||
    rm -f "$peers/yamux-peer"
fi
if [ ${#tables[@]} -gt 0 ] && [[ " ${tables[*]} " != *" mix."* ]]; then
  :   # nothing of it is asked for
elif peer=$(python3 "$root/tests/interop/sphinx/run.py" --native --build "$build/peers-build/sphinx"); then
  cp "$peer" "$peers/sphinx-peer"
else
  rm -f "$peers/sphinx-peer"
fi

# Everything runs in a network namespace of its own whose loopback uses cubic, ours and the peers' alike.
# (127.0.0.1 has a route of its own beside 127.0.0.0/8.)
# shellcheck disable=SC2016
setup='ip link set lo up || exit; for to in 127.0.0.0/8 127.0.0.1; do
  ip route change table local local $to dev lo src 127.0.0.1 congctl cubic || exit
done; exec "$@"'
apart=()
for way in "unshare -n" "unshare -rn"; do
  # shellcheck disable=SC2086
  if $way sh -c "$setup" sh true 2>/dev/null; then apart=($way sh -c "$setup" sh); break; fi
done
[ ${#apart[@]} -gt 0 ] || echo "bench.sh: no network namespace: peers use the system's congestion control" >&2

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
  "${apart[@]}" "$program" "${tables[@]}" "${quick[@]}" --villaged "$build/bin/villaged" --peers "$peers" >"$results/$name.json"
done
shopt -s nullglob
python3 "$root/bench/report.py" "${tables[@]}" "${report[@]}" "$results"/*.json
