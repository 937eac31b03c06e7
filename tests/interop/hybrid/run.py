#!/usr/bin/env python3
"""Runs our hybrid Noise (hfs, 25519+MLKEM768) with a live peer over pipes: both roles, every pattern, cipher and hash
of the tables below with fresh keys, then handshakes of which one byte is changed on the way.

Exit status 0: all agreed; 1: some did not; 77: node or the peer's packages are not to be had and CI is not "true"
(ctest shows it as skipped).
"""
import argparse
import itertools
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).parent
CASE_SECONDS = 60
BUILD_SECONDS = 600
SKIPPED = 77
PROLOGUE = b"village hybrid interop".hex()
PATTERNS = ["XXhfs", "XKhfs", "IKhfs", "NNhfs", "KKhfs"]
CIPHERS = ["ChaChaPoly", "AESGCM"]
HASHES = ["SHA256", "SHA512", "BLAKE2s", "BLAKE2b"]
# The suites' own algorithms again and again: what goes wrong once in many keys shows only so.
OFTEN = 4
OFTEN_NAMES = [f"Noise_{p}_25519+MLKEM768_{c}_SHA256" for p, c in itertools.product(["XXhfs", "XKhfs", "IKhfs"], CIPHERS)]
# Pattern, message, byte: the encapsulation key, the ciphertext, its tag, and behind it.
DAMAGE = [("XXhfs", 0, 32 + 500), ("XXhfs", 1, 32 + 10), ("XXhfs", 1, 32 + 1088 + 3), ("XXhfs", 1, 32 + 1104 + 5),
          ("XKhfs", 0, 32 + 700), ("XKhfs", 1, 32 + 1087), ("IKhfs", 0, 32 + 1200 + 4), ("IKhfs", 1, 32 + 544)]


class Unavailable(Exception):
    """The peer is not to be had here: no node, an old one, or its packages cannot be fetched."""


def build(peer, ours, folder):
    """The command of the peer; its packages are installed beside a copy, so that the source tree stays clean."""
    if peer == "self":
        return [ours]
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Unavailable("node or npm is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(n) for n in version.lstrip("v").split(".")[:2]) < (20, 19):
        raise Unavailable(f"node is {version}, the packages want 20.19")
    shutil.copytree(HERE / "js", folder, dirs_exist_ok=True)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(command, cwd=folder, timeout=BUILD_SECONDS).returncode != 0:
        raise Unavailable("npm ci failed")
    return ["node", str(folder / "peer.mjs")]


def public_of(private):
    """RFC 7748 section 5 in Python's own integers: statics are fresh for each handshake."""
    p, a24 = 2**255 - 19, 121665
    k = int.from_bytes(private, "little") & ~7 & ~(1 << 255) | 1 << 254
    x1, x2, z2, x3, z3, swap = 9, 1, 0, 9, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % p, b * b % p
        e = aa - bb
        da, cb = (x3 - z3) * a % p, (x3 + z3) * b % p
        x3, z3 = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, e * (aa + a24 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


def knows(pattern, role):
    return pattern[1] == "K" if role == "initiator" else pattern[0] == "K"


def exactly(source, size):
    data = b""
    while len(data) < size:
        piece = source.read(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def relay(source, sink, damaged):
    """Carries messages; in the first one byte is changed at `damaged` (None: nothing)."""
    first = True
    try:
        while (length := exactly(source, 2)) and (message := exactly(source, int.from_bytes(length, "big"))) is not None:
            if first and damaged is not None:
                message = message[:damaged] + bytes([message[damaged] ^ 1]) + message[damaged + 1:]
            first = False
            sink.write(length + message)
            sink.flush()
    except BrokenPipeError:
        pass
    sink.close()


def run_case(initiator, responder, name, damage=None):
    """What both sides say at the end: (exit status, last line) of each. `damage` = (message, byte)."""
    pattern = name.split("_")[1]
    private = {role: secrets.token_bytes(32) for role in ("initiator", "responder")}
    sides = []
    for role, other, command in (("initiator", "responder", initiator), ("responder", "initiator", responder)):
        remote = public_of(private[other]).hex() if knows(pattern, role) else "-"
        sides.append(subprocess.Popen([*command, role, name, PROLOGUE, private[role].hex(), remote, "-"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    at = [damage[1] if damage and damage[0] == i else None for i in (0, 1)]
    carriers = [threading.Thread(target=relay, args=(sides[i].stdout, sides[1 - i].stdin, at[i]), daemon=True)
                for i in (0, 1)]
    for carrier in carriers:
        carrier.start()
    said = []
    for side in sides:
        try:
            side.wait(timeout=CASE_SECONDS)
        except subprocess.TimeoutExpired:
            side.kill()
            side.wait()
        said.append((side.returncode, side.stderr.read().decode(errors="replace").strip()))
    for carrier in carriers:
        carrier.join(CASE_SECONDS)
    return said


def agreed(said):
    return all(status == 0 for status, _ in said) and said[0][1].startswith("done ") and said[0][1] == said[1][1]


def refused(said):
    """Nobody is done, and somebody refused a message, not only hung up upon."""
    hung_up = "the other side hung up"
    return (all(status != 0 and "done " not in line for status, line in said)
            and any(status == 1 and hung_up not in line for status, line in said))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peer", required=True, choices=["self", "js"])
    parser.add_argument("--build", required=True, type=pathlib.Path)
    options = parser.parse_args()
    try:
        theirs = build(options.peer, options.ours, options.build)
    except Unavailable as reason:
        print(f"hybrid interop with {options.peer}: not run: {reason}")
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    names = [f"Noise_{p}_25519+MLKEM768_{c}_{h}" for p, c, h in itertools.product(PATTERNS, CIPHERS, HASHES)]
    names += OFTEN * OFTEN_NAMES
    damaged = [(f"Noise_{p}_25519+MLKEM768_{c}_SHA256", (m, b)) for (p, m, b), c in itertools.product(DAMAGE, CIPHERS)]
    failed = 0
    for ours_first in (True, False):
        pair = ([options.ours], theirs) if ours_first else (theirs, [options.ours])
        for name, damage in [*((name, None) for name in names), *damaged]:
            said = run_case(*pair, name, damage)
            if not (agreed(said) if damage is None else refused(said)):
                failed += 1
                print(f"{name}, we are the {'initiator' if ours_first else 'responder'}, damage {damage}: {said}")
    print(f"hybrid interop with {options.peer}: {2 * len(names)} handshakes and {2 * len(damaged)} damaged ones, "
          f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
