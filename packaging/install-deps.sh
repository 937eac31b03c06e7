#!/usr/bin/env bash
# Installs what villaged needs to be built, and with --tests and --interop what its tests need, with --bench the peers of
# its benchmarks.
#
#   packaging/install-deps.sh [--tests] [--interop] [--bench] [--print]
#
# Debian 12 is proven; on Debian 13 the program was built and its demo run in a chroot (without --tests); Ubuntu 24.04 is
# a list that nobody has run yet. Elsewhere the list is printed and the exit status is 1. Needs root or sudo only if something is missing. --print shows the list and installs nothing.
set -euo pipefail

build=(build-essential cmake ninja-build pkg-config git ca-certificates python3 curl
       libssl-dev libsodium-dev nlohmann-json3-dev libspdlog-dev libfmt-dev prometheus-cpp-dev libc-ares-dev
       libnghttp2-dev
       libseccomp-dev zlib1g-dev)
tests=(nginx-light libgtest-dev libgmock-dev libbenchmark-dev curl openssl python3-socks prometheus strace iproute2 systemd ccache valgrind)
# Peers are built with what is on the PATH; distributions' Go and Rust are older than most peers want.
interop=()
command -v go >/dev/null || interop+=(golang-go)
command -v cargo >/dev/null || interop+=(cargo)

# Peers of the benchmarks.
bench=(nginx-light nghttp2-server nghttp2-client golang-github-hashicorp-yamux-dev iproute2)
command -v go >/dev/null || bench+=(golang-go)
command -v cargo >/dev/null || bench+=(cargo)

groups=("${build[@]}")
print_only=no want_tests=no want_interop=no want_bench=no
for argument in "$@"; do
  case $argument in
    --tests) want_tests=yes ;;
    --interop) want_interop=yes ;;
    --bench) want_bench=yes ;;
    --print) print_only=yes ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install-deps.sh: unknown argument $argument (try --help)" >&2; exit 2 ;;
  esac
done

system=unknown
if [ -r /etc/os-release ]; then
  # shellcheck disable=SC1091
  system=$(. /etc/os-release && echo "${ID:-unknown}-${VERSION_ID:-}")
fi
case $system in
  debian-12) verified=yes; groups+=(libboost1.81-dev); clang=(clang-14 clang-format-14 libclang-rt-14-dev) ;;
  debian-13) verified=yes; groups+=(libboost-dev); clang=(clang clang-format libclang-rt-dev) ;;
  ubuntu-24.04) verified=no; groups+=(libboost-dev); clang=(clang-14 clang-format-14 libclang-rt-14-dev) ;;
  *) verified=never; groups+=(libboost-dev); clang=(clang clang-format) ;;
esac
[ "$want_tests" = no ] || groups+=("${tests[@]}" "${clang[@]}")
[ "$want_interop" = no ] || groups+=("${interop[@]}")
[ "$want_bench" = no ] || groups+=("${bench[@]}")

if [ "$print_only" = yes ]; then
  printf '%s\n' "${groups[@]}" | sort -u
  exit 0
fi
if [ "$verified" = never ]; then
  echo "install-deps.sh does not know $system. By their Debian names, villaged needs:" >&2
  printf '%s\n' "${groups[@]}" | sort -u | sed 's/^/  /' >&2
  exit 1
fi
[ "$verified" = yes ] || echo "note: the package list for $system is unverified; please report what is wrong" >&2

missing=()
for package in "${groups[@]}"; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$state" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "install-deps: everything is there (${#groups[@]} packages)"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-deps.sh: run it as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi

# Packages of servers (prometheus, for promtool) must not start them: Debian asks this file whether it may.
policy=/usr/sbin/policy-rc.d
own_policy=no
cleanup() { [ "$own_policy" = no ] || "${as_root[@]}" rm -f "$policy"; }
trap cleanup EXIT
if [ ! -e "$policy" ]; then
  own_policy=yes
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

echo "install-deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
options=(-q -y --no-install-recommends -o Dpkg::Use-Pty=0)
if ! "${as_root[@]}" apt-get install "${options[@]}" "${missing[@]}" >/dev/null 2>&1; then
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "${missing[@]}"
fi
echo "install-deps: done"
