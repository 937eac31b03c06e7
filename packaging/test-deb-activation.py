#!/usr/bin/env python3
"""Plays the service manager for test-deb.sh: systemd-socket-activate opens port 443 as root and starts the installed
program as its user without any capability; a datagram socket of our own reads what it reports."""
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import sys
import time

PORT = 443
NOTIFY = "/run/villaged-test.notify"
CONFIG = "/etc/villaged/villaged.json"


def wait_for(manager, seen, line, seconds):
    deadline = time.monotonic() + seconds
    manager.settimeout(0.2)
    while line not in seen:
        if time.monotonic() > deadline:
            sys.exit(f"no {line} within {seconds} s; seen: {seen}")
        try:
            seen += manager.recv(4096).decode().split("\n")
        except TimeoutError:
            pass


def main():
    user = pwd.getpwnam("villaged")
    pathlib.Path(NOTIFY).unlink(missing_ok=True)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(NOTIFY)
    os.chmod(NOTIFY, 0o666)
    command = ["systemd-socket-activate", "--listen", f"127.0.0.1:{PORT}", "--fdname=htx",
               f"--setenv=NOTIFY_SOCKET={NOTIFY}", "--setenv=WATCHDOG_USEC=1500000",
               "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--bounding-set=-all",
               "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs",
               "/usr/bin/villaged", "run", "--config", CONFIG]
    daemon = subprocess.Popen(command)
    try:
        for _ in range(100):
            try:
                first = socket.create_connection(("127.0.0.1", PORT), timeout=5)
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        else:
            sys.exit("systemd-socket-activate does not listen")
        seen = []
        wait_for(manager, seen, "READY=1", 30)
        status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
        print(re.sub(r"(?m)^(?!Name|Uid|Cap|Seccomp:|NoNewPrivs).*\n", "", status))
        assert re.search(r"Name:\s+villaged", status)
        assert re.search(rf"Uid:(\s+{user.pw_uid}){{4}}", status), "runs as another user"
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert re.search(rf"{capabilities}:\s+0+\n", status), capabilities
        assert re.search(r"NoNewPrivs:\s+1", status)
        assert re.search(r"Seccomp:\s+2", status)
        wait_for(manager, seen, "WATCHDOG=1", 10)
        first.close()
        os.kill(daemon.pid, signal.SIGTERM)
        wait_for(manager, seen, "STOPPING=1", 10)
        assert daemon.wait(20) == 0, daemon.returncode
        print("seen:", ", ".join(dict.fromkeys(seen)))
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()
        pathlib.Path(NOTIFY).unlink(missing_ok=True)


main()
