#!/bin/sh
# promtool.sh TEST_PROGRAM: lets promtool judge the text that metrics_text() writes.
# Exit 77 (a visible skip) where promtool is missing, except under CI=true.
set -eu
if ! command -v promtool >/dev/null; then
  echo "promtool (Debian package prometheus) is not installed: metrics not checked"
  [ "${CI:-}" = true ] && exit 1
  exit 77
fi
file=$(mktemp)
trap 'rm -f "$file"' EXIT
VILLAGE_METRICS_FILE=$file "$1" --gtest_filter=MetricsText.ShowsEveryKindOnce >/dev/null
test -s "$file"
problems=$(promtool check metrics <"$file" 2>&1) || { echo "$problems"; exit 1; }
[ -z "$problems" ] || { echo "$problems"; exit 1; }
echo "promtool: $(grep -c '^# TYPE' "$file") metrics are fine"
