#!/usr/bin/env python3
"""Builds the Rust peer around crate sphinx-packet 0.6.0 and runs our side against it.

    run.py --ours PROGRAM --build FOLDER [--count N]     what ctest runs
    run.py --build FOLDER --native                       builds alone, for this machine's CPU; prints the path (benchmarks)

Exit status 0: all agreed; 1: some did not; 77: the peer's tool chain or its packages are not to be had and CI is not
"true" (ctest shows it as skipped).
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
BUILD_SECONDS = 900
SKIPPED = 77


class Unavailable(Exception):
    """The peer is not to be had here: no tool chain, or its packages cannot be fetched."""


def run_cargo(arguments, folder, flags):
    environment = {**os.environ, "CARGO_TARGET_DIR": str(folder / "target"), "RUSTFLAGS": flags}
    return subprocess.run(["cargo", *arguments], cwd=folder, env=environment, timeout=BUILD_SECONDS, stdout=sys.stderr)


def build(folder, native):
    """The peer is built from a copy, so that nothing is written into the source tree."""
    if shutil.which("cargo") is None:
        raise Unavailable("cargo is not installed")
    shutil.copytree(HERE / "rust", folder, dirs_exist_ok=True)
    flags = "-C target-cpu=native" if native else ""
    if run_cargo(["fetch", "--quiet", "--locked"], folder, flags).returncode != 0:
        raise Unavailable("cargo fetch failed")
    run_cargo(["build", "--quiet", "--release", "--offline", "--locked"], folder, flags).check_returncode()
    return folder / "target" / "release" / "sphinx-peer"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--native", action="store_true")
    options = parser.parse_args()
    try:
        peer = build(options.build, options.native)
    except Unavailable as reason:
        print(f"sphinx interop: not run: {reason}", file=sys.stderr)
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    if options.ours is None:
        print(peer)
        return 0
    return subprocess.run([options.ours, str(peer), *([str(options.count)] if options.count else [])]).returncode


if __name__ == "__main__":
    sys.exit(main())
