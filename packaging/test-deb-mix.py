#!/usr/bin/env python3
"""Runs the installed program as a mix for test-deb.sh: as its user without any capability, confined as it confines itself, with
the configuration beside the one of `villaged init`. What it keeps must lie in the package's state folder, and be closed."""
import os
import pathlib
import pwd
import re
import signal
import subprocess
import sys
import time

FOLDER = pathlib.Path("/etc/villaged")
KEPT = pathlib.Path("/var/lib/villaged/mix")
CONFIG = FOLDER / "mix.json"


def main():
    user = pwd.getpwnam("villaged")
    bare = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--bounding-set=-all",
            "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs", "/usr/bin/villaged"]
    made = subprocess.run([*bare, "keygen"], check=True, capture_output=True, text=True).stdout
    key = re.search(r"(?m)^key\s+(\S{43})$", made)[1]
    CONFIG.write_text(f'''{{
      "htx": {{"listen": [{{"address": "127.0.0.1:0", "outer": "none"}}]}},
      "mix": {{"roles": ["mix"], "operator": "test", "address": "127.0.0.1:9001",
        "directory": {{"threshold": 1, "authorities": [{{"name": "a", "key": "{key}", "address": "127.0.0.1:9"}}]}}}}}}''')
    os.chown(CONFIG, user.pw_uid, user.pw_gid)
    try:
        subprocess.run([*bare, "check", "--config", CONFIG], check=True)
        node = subprocess.Popen([*bare, "run", "--config", CONFIG], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        for line in node.stdout:
            print(line, end="")
            if " ready " in line or time.monotonic() > deadline:
                break
        node.send_signal(signal.SIGTERM)
        print(node.communicate(timeout=60)[0])
        assert node.returncode == 0, node.returncode
        kept = sorted(KEPT.iterdir())
        assert KEPT / "vrf.key" in kept and any(each.name.startswith("sphinx-") for each in kept), kept
        for each in kept:
            assert each.stat().st_mode & 0o777 == 0o600 and each.owner() == "villaged", each
    finally:
        CONFIG.unlink()


sys.exit(main())
