#!/usr/bin/env python3
"""Runs our Noise with a live peer over pipes: both roles, every pattern, cipher and hash of the tables below.

Exit status 0: all agreed; 1: some did not; 77: the peer's tool chain or its packages are not to be had and CI is not
"true" (ctest shows it as skipped).
"""
import argparse
import itertools
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
CASE_SECONDS = 30
BUILD_SECONDS = 600
SKIPPED = 77

# Two fixed X25519 key pairs.
PRIVATE = {
    "initiator": "77076d0a7318a57d3c16c17251b26645df4c2f92ebc0992ac177fba51db92c2a",
    "responder": "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
}
PUBLIC = {
    "initiator": "f8a9535a2d2ff605e8e144d54f4ef5c62313a2055dbb21fddd3fd9c299eb015d",
    "responder": "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
}
PSK = bytes(range(32)).hex()
PROLOGUE = b"village noise interop".hex()

FUNDAMENTAL = ["N", "K", "X", "NN", "NK", "NX", "XN", "XK", "XX", "KN", "KK", "KX", "IN", "IK", "IX"]
WITH_PSK = ["NNpsk0", "NKpsk2", "XKpsk3", "XXpsk3", "IKpsk2", "KKpsk0"]
DEFERRED = ["NK1", "X1K", "XK1", "X1X1", "K1K1", "I1K", "IX1"]
PATTERNS = {"go": FUNDAMENTAL + WITH_PSK, "rust": FUNDAMENTAL + WITH_PSK + DEFERRED,
            "self": FUNDAMENTAL + WITH_PSK + DEFERRED}
CIPHERS = ["ChaChaPoly", "AESGCM"]
HASHES = ["SHA256", "SHA512", "BLAKE2s", "BLAKE2b"]


class Unavailable(Exception):
    """The peer is not to be had here: no tool chain, or its packages cannot be fetched."""


def build_go(folder):
    fetch(["go", "mod", "download"], folder)
    run_tool(["go", "build", "-o", "peer", "."], folder).check_returncode()
    return folder / "peer"


def build_rust(folder):
    fetch(["cargo", "fetch", "--quiet"], folder)
    run_tool(["cargo", "build", "--quiet", "--offline"], folder).check_returncode()
    return folder / "target" / "debug" / "noise-peer"


def fetch(command, folder):
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed")
    if run_tool(command, folder).returncode != 0:
        raise Unavailable(f"{' '.join(command)} failed")


def run_tool(command, folder):
    environment = {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "CARGO_TARGET_DIR": str(folder / "target")}
    return subprocess.run(command, cwd=folder, env=environment, timeout=BUILD_SECONDS)


def build(peer, ours, folder):
    """The peer is built from a copy, so that nothing is written into the source tree."""
    if peer == "self":
        return pathlib.Path(ours)
    shutil.copytree(HERE / peer, folder, dirs_exist_ok=True)
    return {"go": build_go, "rust": build_rust}[peer](folder)


def knows(pattern, role):
    """Whether `role` knows the other side's static key beforehand; one-way patterns all know the responder's."""
    base = pattern.split("psk")[0]
    letters = [c for c in base if c.isalpha()]
    if len(letters) == 1:
        return role == "initiator" or base == "K"
    return letters[1] == "K" if role == "initiator" else letters[0] == "K"


def arguments(role, name):
    pattern = name.split("_")[1]
    other = "responder" if role == "initiator" else "initiator"
    return [role, name, PROLOGUE, PRIVATE[role], PUBLIC[other] if knows(pattern, role) else "-",
            PSK if "psk" in pattern else "-"]


def start(program, role, name, source, sink):
    return subprocess.Popen([str(program), *arguments(role, name)], stdin=source, stdout=sink, stderr=subprocess.PIPE,
                            text=True)


def run_case(initiator, responder, name):
    """Returns None, or what went wrong."""
    to_responder, from_initiator = os.pipe()
    to_initiator, from_responder = os.pipe()
    sides = [start(initiator, "initiator", name, to_initiator, from_initiator),
             start(responder, "responder", name, to_responder, from_responder)]
    for end in (to_responder, from_initiator, to_initiator, from_responder):
        os.close(end)
    try:
        said = [side.communicate(timeout=CASE_SECONDS)[1].strip() for side in sides]
    except subprocess.TimeoutExpired:
        said = ["timed out", ""]
    finally:
        for side in sides:
            side.kill()
            side.wait()
    if any(side.returncode != 0 for side in sides) or not said[0].startswith("done ") or said[0] != said[1]:
        return f"initiator: {said[0]!r}, responder: {said[1]!r}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peer", required=True, choices=sorted(PATTERNS))
    parser.add_argument("--build", required=True, type=pathlib.Path)
    options = parser.parse_args()
    try:
        theirs = build(options.peer, options.ours, options.build)
    except Unavailable as reason:
        print(f"noise interop with {options.peer}: not run: {reason}")
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    failed = 0
    names = [f"Noise_{p}_25519_{c}_{h}" for p, c, h in itertools.product(PATTERNS[options.peer], CIPHERS, HASHES)]
    for name in names:
        for ours_first in (True, False):
            pair = (options.ours, theirs) if ours_first else (theirs, options.ours)
            trouble = run_case(*pair, name)
            if trouble:
                failed += 1
                print(f"{name}, we are the {'initiator' if ours_first else 'responder'}: {trouble}")
    print(f"noise interop with {options.peer}: {2 * len(names)} handshakes, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
