#!/usr/bin/env bash
# Proves the package in a fresh Debian of this machine's release, in a chroot: install, use, upgrade, remove, purge, and
# the installed program under systemd-socket-activate on port 443, as the package's user with an empty capability set.
#
#   packaging/test-deb.sh [--keep]        (root; needs debootstrap; the mirror is the one this machine uses)
#
# --keep leaves the chroot in build/deb-test for a look. Ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
keep=no
[ "${1:-}" != --keep ] || keep=yes
[ "$(id -u)" -eq 0 ] || { echo "test-deb.sh: needs root (chroot, mount)" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "test-deb.sh: install debootstrap" >&2; exit 2; }

root=$PWD/build/deb-test
passed=0 failed=0
check() {  # what, command...
  local what=$1
  shift
  if "$@" >"$PWD/build/deb-test.log" 2>&1; then
    printf 'passed  %s\n' "$what"; passed=$((passed + 1))
  else
    printf 'FAILED  %s\n' "$what"; sed 's/^/        /' "$PWD/build/deb-test.log"; failed=$((failed + 1))
  fi
}
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
clean() {
  local point
  for point in proc dev/null dev/urandom dev/random; do umount "$root/$point" 2>/dev/null || true; done
  [ "$keep" = yes ] || rm -rf --one-file-system "$root"
}
trap clean EXIT

echo "== packages: this version and one after it"
cmake --preset dist -DVILLAGE_BENCH=OFF >/dev/null
cmake --build build/dist -j "$(nproc)" >/dev/null
version=$(sed -n 's/^set(CPACK_PACKAGE_VERSION "\(.*\)")/\1/p' build/dist/CPackConfig.cmake)
next=$version.1
rm -f build/dist/*.deb
(cd build/dist && cpack -G DEB >/dev/null && cpack -G DEB -D CPACK_PACKAGE_VERSION="$next" >/dev/null)
package=$(ls build/dist/villaged_"$version"_*.deb) upgrade=$(ls build/dist/villaged_"$next"_*.deb)
ls -l "$package" "$upgrade" | awk '{print $5, $9}'

echo "== a fresh system"
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI)|$(CODENAME)|$(COMPONENT)' 'Created-By: Packages' |
  awk -F'|' -v codename="$codename" '$2 == codename && $3 == "main" {print $1; exit}')
[ -n "$mirror" ] || { echo "test-deb.sh: this machine's apt sources name no mirror of $codename" >&2; exit 2; }
rm -rf --one-file-system "$root"
mkdir -p build
debootstrap --variant=minbase --include=systemd,python3-minimal,ca-certificates "$codename" "$root" "$mirror" >build/debootstrap.log 2>&1 ||
  { tail -n 20 build/debootstrap.log >&2; exit 1; }
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
for device in null urandom random; do
  [ -e "$root/dev/$device" ] || : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp "$package" "$upgrade" "$root/opt/"
cp packaging/test-deb-activation.py "$root/opt/"
cp packaging/test-deb-mix.py "$root/opt/"
inside apt-get update -q >build/deb-test.log 2>&1 || cat build/deb-test.log

echo "== install"
check "apt installs it with its dependencies" inside apt-get install -q -y --no-install-recommends "/opt/$(basename "$package")"
check "the program runs" inside villaged version
check "shapes: the one compiled in and the file are the same" inside sh -c '
  villaged shape show --json nginx-websocket >/tmp/built-in && villaged shape show --json /usr/share/villaged/shapes/nginx-websocket.json >/tmp/file &&
  cmp /tmp/built-in /tmp/file'
check "the user is there, without a shell" inside sh -c 'getent passwd villaged | grep -q "/var/lib/villaged:/usr/sbin/nologin$"'
check "/etc/villaged is the user's and closed to others" inside sh -c '[ "$(stat -c "%U:%G %a" /etc/villaged)" = "villaged:villaged 750" ]'
check "/var/lib/villaged is the user's alone" inside sh -c '[ "$(stat -c "%U:%G %a" /var/lib/villaged)" = "villaged:villaged 700" ]'
check "units, users, folders, manual pages and completions are there" inside sh -c '
  for f in lib/systemd/system/villaged.service lib/systemd/system/villaged.socket lib/sysusers.d/villaged.conf \
           lib/tmpfiles.d/villaged.conf share/man/man1/villaged.1.gz share/man/man5/villaged.json.5.gz \
           share/bash-completion/completions/villaged share/zsh/vendor-completions/_villaged \
           share/fish/vendor_completions.d/villaged.fish share/doc/villaged/copyright share/doc/villaged/mix.md \
           share/villaged/shapes/nginx-websocket.json; do
    [ -e "/usr/$f" ] || [ -e "/$f" ] || { echo "missing $f"; exit 1; }
  done'
check "the unit verifies" inside sh -c 'out=$(systemd-analyze verify --man=no villaged.service villaged.socket 2>&1); echo "$out"; [ -z "$out" ]'
check "its exposure is at most 1.6" inside sh -c 'systemd-analyze security --offline=true villaged.service | tail -n 1 | tee /dev/stderr |
  grep -Eq "level for villaged.service: (0\.[0-9]|1\.[0-6]) "'
check "nothing was started" inside sh -c '! ls /proc/[0-9]*/exe -l 2>/dev/null | grep -q /usr/bin/villaged'

echo "== use, as the package's user"
as_user() { inside runuser -u villaged -- "$@"; }
check "init makes a node in /etc/villaged" as_user villaged init --dir /etc/villaged --name test --role exit --listen 127.0.0.1:443
check "check accepts it" as_user villaged check --config /etc/villaged/villaged.json
check "socket activation on 443, empty capabilities: READY, WATCHDOG, STOPPING" inside python3 /opt/test-deb-activation.py
check "a mix of the mixnet starts, makes its keys under /var/lib/villaged and stops" inside python3 /opt/test-deb-mix.py

echo "== upgrade, remove, purge"
identity=$(sha256sum "$root/etc/villaged/identity.key")
check "a later version installs over it" inside apt-get install -q -y --no-install-recommends "/opt/$(basename "$upgrade")"
check "the upgrade is what runs" inside sh -c "dpkg-query -W -f '\${Version}' villaged | grep -qx '$next'"
check "keys and configuration are untouched" [ "$identity" = "$(sha256sum "$root/etc/villaged/identity.key")" ]
check "remove" inside apt-get remove -q -y villaged
check "the program is gone, keys and state stay" sh -c "[ ! -e '$root/usr/bin/villaged' ] && [ -e '$root/etc/villaged/identity.key' ] && [ -d '$root/var/lib/villaged' ]"
check "purge" inside apt-get purge -q -y villaged
check "nothing is left" sh -c "[ ! -e '$root/etc/villaged' ] && [ ! -e '$root/var/lib/villaged' ] && ! grep -q villaged '$root/etc/passwd' '$root/etc/group' && ! ls '$root'/var/lib/dpkg/info/villaged* 2>/dev/null"
check "it installs again" inside apt-get install -q -y --no-install-recommends "/opt/$(basename "$package")"

rm -f build/deb-test.log
echo "not run: the unit on a live systemd (none runs here)" | { [ -d /run/systemd/system ] && cat >/dev/null || cat; }
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
