#!/usr/bin/env bash
# From a bare Debian or Ubuntu to two running nodes and real data through them, in one command:
#
#   packaging/quickstart.sh [--no-install] [--preset NAME] [--mib N] [--keep DIR]
#
# Installs packages, builds the program that is shipped (build/dist; --preset: build/NAME), makes two nodes with
# `villaged init` and `villaged peer`, starts both, fetches a file of N MiB (256) with curl by SOCKS5 -> HTX -> a local
# web server, compares digests, reads status and metrics of both, runs `villaged demo`, and says how to go on. All of it
# is on loopback and stopped at the end. Exit status 0 only if everything was verified. --keep leaves the nodes' folders
# in DIR.
set -euo pipefail
cd "$(dirname "$0")/.."

install=yes preset=dist mib=256 keep=
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=no ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --mib) mib=${2:?--mib needs a number}; shift ;;
    --keep) keep=${2:?--keep needs a folder}; shift ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "quickstart.sh: unknown argument $1 (try --help)" >&2; exit 2 ;;
  esac
  shift
done

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'quickstart: FAILED: %s\n' "$*" >&2; exit 1; }

[ "$install" = no ] || packaging/install-deps.sh

say "building build/$preset"
jobs=$(nproc)
configure=(cmake --preset "$preset")
[ "$preset" != dist ] || configure+=(-DVILLAGE_BENCH=OFF)
"${configure[@]}" >/dev/null || fail "cmake --preset $preset"
cmake --build "build/$preset" -j "$jobs" --target villaged || fail "the build"
villaged=$PWD/build/$preset/bin/villaged
"$villaged" version

# --- everything below is on loopback, in one folder, and ends with this script
if [ -n "$keep" ]; then
  mkdir -p "$keep"
  work=$(cd "$keep" && pwd)
else
  work=$(mktemp -d "${TMPDIR:-/tmp}/villaged-quickstart.XXXXXX")
fi
pids=()
stop_all() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ -n "$keep" ] || rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_ports() {
  python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(each.getsockname()[1] for each in sockets))
PYTHON
}
read -r htx_port proxy_port exit_control entry_control web_port <<<"$(free_ports 5)"

say "two nodes: villaged init, villaged peer"
exit_config=$work/exit/villaged.json entry_config=$work/entry/villaged.json
"$villaged" init --dir "$work/exit" --name exit --role exit --listen "127.0.0.1:$htx_port" \
  --control "127.0.0.1:$exit_control" >"$work/init-exit.txt"
# The file that is fetched is on this machine; an exit refuses such targets unless told otherwise.
sed -i 's|// "allow_private": false|"allow_private": true|' "$exit_config"
uri=$("$villaged" peer invite "127.0.0.1:$htx_port" --config "$exit_config" 2>/dev/null)
entry_key=$("$villaged" init --dir "$work/entry" --name entry --role entry --peer "$uri" --proxy "127.0.0.1:$proxy_port" \
  --control "127.0.0.1:$entry_control" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
"$villaged" peer add --inbound "$entry_key" --name entry --no-reload --config "$exit_config"
"$villaged" check --config "$exit_config"
"$villaged" check --config "$entry_config"
echo "the exit's invitation: $uri"

start_node() {  # name, control port
  "$villaged" run --config "$work/$1/villaged.json" 2>"$work/$1.log" &
  local pid=$!
  pids+=("$pid")
  local i
  for ((i = 0; i < 300; i++)); do
    kill -0 "$pid" 2>/dev/null || { cat "$work/$1.log" >&2; fail "$1 ended at its start"; }
    if curl --silent --fail --output /dev/null "http://127.0.0.1:$2/readyz"; then
      echo "$1 is ready (pid $pid)"
      return
    fi
    sleep 0.1
  done
  cat "$work/$1.log" >&2
  fail "$1 did not get ready"
}
say "starting both"
start_node exit "$exit_control"
start_node entry "$entry_control"

say "a web server on 127.0.0.1:$web_port with $mib MiB of random data"
mkdir -p "$work/web"
head -c "$((mib * 1048576))" /dev/urandom >"$work/web/file"
(cd "$work/web" && exec python3 -m http.server --bind 127.0.0.1 "$web_port" >/dev/null 2>"$work/web.log") &
pids+=($!)
for ((i = 0; i < 100; i++)); do
  curl --silent --output /dev/null --head "http://127.0.0.1:$web_port/" && break
  sleep 0.1
done

say "curl --socks5-hostname 127.0.0.1:$proxy_port http://127.0.0.1:$web_port/file"
facts=$(curl --silent --show-error --fail --noproxy '' --socks5-hostname "127.0.0.1:$proxy_port" \
  --output "$work/fetched" --write-out '%{size_download} %{time_total} %{speed_download}' \
  "http://127.0.0.1:$web_port/file") || fail "curl (the nodes' logs are shown above with --keep)"
read -r size seconds speed <<<"$facts"
sent=$(sha256sum <"$work/web/file" | cut -d' ' -f1)
got=$(sha256sum <"$work/fetched" | cut -d' ' -f1)

"$villaged" status --json --config "$exit_config" >"$work/exit.status"
"$villaged" status --json --config "$entry_config" >"$work/entry.status"
curl --silent --show-error --fail "http://127.0.0.1:$exit_control/metrics" >"$work/exit.metrics" || fail "metrics of exit"
curl --silent --show-error --fail "http://127.0.0.1:$entry_control/metrics" >"$work/entry.metrics" || fail "metrics of entry"

say "what happened"
outcome=0
python3 - "$work" "$size" "$seconds" "$speed" "$sent" "$got" "$mib" <<'PYTHON' || outcome=1
import json, pathlib, re, sys
work, size, seconds, speed, sent, got, mib = sys.argv[1:]
work, size = pathlib.Path(work), int(size)
checks = [("size", size == int(mib) << 20), ("sha256", sent == got)]
rows = [("bytes", f"{size:,}"), ("seconds", seconds), ("throughput", f"{float(speed) / 1e6:.0f} MB/s"),
        ("sha256 of the web server's file", sent), ("sha256 of what curl got", got)]

def metric(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(name + r"[{ ]", line))

for name in ("entry", "exit"):
    status = json.loads((work / f"{name}.status").read_text())
    sessions = [each for each in status["sessions"] if each["state"] == "connected"]
    checks.append((f"{name}: a session is connected", bool(sessions)))
    rows += [(f"{name}: node", status["node"]), (f"{name}: sandbox", ", ".join(status["sandbox"]) or "none")]
    for each in sessions:
        facts = [f"{key} {each[key]}" for key in ("outer", "suite", "core") if key in each]
        rows.append((f"{name}: session with {each.get('peer', '?')}", ", ".join(facts)))
    text = (work / f"{name}.metrics").read_text()
    carried = metric(text, "villaged_htx_data_bytes_total")
    checks.append((f"{name}: metrics count the file", carried >= size))
    rows += [(f"{name}: HTX payload", f"{carried:,.0f} bytes"), (f"{name}: HTX wire", f"{metric(text, 'villaged_htx_wire_bytes_total'):,.0f} bytes"),
             (f"{name}: metrics", f"{text.count('# TYPE ')} families")]
width = max(len(row[0]) for row in rows)
for key, value in rows:
    print(f"  {key:<{width}}  {value}")
print()
for check, holds in checks:
    print(f"  {'verified' if holds else 'FAILED  '}  {check}")
sys.exit(0 if all(holds for _, holds in checks) else 1)
PYTHON
if [ "$outcome" -ne 0 ]; then
  tail -n 20 "$work/exit.log" "$work/entry.log" >&2
  fail "not everything was verified"
fi

say "villaged demo"
"$villaged" demo || fail "villaged demo"

say "both nodes drain and stop"
for pid in "${pids[@]:0:2}"; do
  kill "$pid"
  wait "$pid" || fail "a node ended with status $?"
done
pids=("${pids[@]:2}")

cat <<EOT

== verified. What to type next

  your own nodes, on two machines:
    exit\$   $villaged init --dir ~/.villaged --role exit
    exit\$   $villaged peer invite PUBLIC-HOST:8443 --config ~/.villaged/villaged.json
    entry\$  $villaged init --dir ~/.villaged --peer 'htx://...'     (the line that invite printed)
    exit\$   the "villaged peer add --inbound ..." line that the entry's init printed
    both\$   $villaged run --config ~/.villaged/villaged.json

  as a service, from the package:
    cmake --build build/dist --target package && sudo apt install ./build/dist/villaged_*.deb
    sudo -u villaged villaged init --dir /etc/villaged --role exit     (then as above)
    sudo systemctl enable --now villaged.service                       (villaged.socket for port 443)

  your programs, once an entry runs (SOCKS5 and HTTP proxy on one port):
    curl --socks5-hostname 127.0.0.1:1080 https://example.org/
    export ALL_PROXY=socks5h://127.0.0.1:1080      Firefox: Settings, Network, SOCKS v5 127.0.0.1 port 1080, "Proxy DNS"

  looking at it:
    $villaged status --watch --config ~/.villaged/villaged.json
    curl http://127.0.0.1:9465/metrics
EOT
