#!/usr/bin/env bash
# Builds villaged and runs every test that needs nothing but this machine and its packages.
#
#   packaging/test.sh [--interop] [--no-install] [-- CTEST-ARGUMENTS]
#
# --interop adds the tests against real peers. With CI=true warnings are errors, and a tool that a test misses is a
# failure instead of a skip. Ends with ctest's summary; the exit status is ctest's.
set -euo pipefail
cd "$(dirname "$0")/.."

interop=no install=yes
while [ $# -gt 0 ]; do
  case $1 in
    --interop) interop=yes ;;
    --no-install) install=no ;;
    --) shift; break ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown argument $1 (try --help)" >&2; exit 2 ;;
  esac
  shift
done

if [ "$install" = yes ]; then
  groups=(--tests)
  [ "$interop" = no ] || groups+=(--interop)
  packaging/install-deps.sh "${groups[@]}"
fi
werror=OFF
[ "${CI:-}" != true ] || werror=ON
exclude=soak
[ "$interop" = yes ] || exclude="soak|interop"

jobs=$(nproc)
mkdir -p build
cmake --preset release -DVILLAGE_WERROR=$werror >build/configure.log 2>&1 || { cat build/configure.log >&2; rm -f build/configure.log; exit 1; }
rm -f build/configure.log
cmake --build build/release -j "$jobs"
exec ctest --test-dir build/release -j "$jobs" --output-on-failure --no-tests=error -LE "$exclude" "$@"
