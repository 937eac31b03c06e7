"""Real daemons for the tests: made by `villaged init` and `villaged peer`, run as child processes on free ports."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
START_S = 30


def need(*tools):
    """Skips the script if a program is missing; with CI=true that is a failure."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        give_up("missing " + ", ".join(missing))


def need_module(name):
    try:
        return __import__(name)
    except ImportError:
        return give_up(f"missing Python module {name}")


def give_up(reason):
    print("skipped: " + reason)
    sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)


def plain_json(text):
    """JSON with comments and trailing commas to plain JSON; strings are left alone."""
    string = r'"(?:\\.|[^"\\])*"'
    keep_strings = lambda found: found[0] if found[0].startswith('"') else " "
    text = re.sub(string + r"|//[^\n]*|/\*.*?\*/", keep_strings, text, flags=re.S)
    return re.sub(string + r"|,(?=\s*[]}])", keep_strings, text)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Manager:
    """Stands in for the service manager: an abstract datagram socket that collects what the daemon reports."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0villaged-test-%d-%d" % (os.getpid(), id(self)))
        self.address = "@" + self.socket.getsockname()[1:].decode()
        self.seen = []

    def wait_for(self, line, process, seconds=START_S):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.socket.settimeout(0.2)
            try:
                self.seen += self.socket.recv(4096).decode().split("\n")
            except TimeoutError:
                if process.poll() is not None:
                    return False
                continue
            if line in self.seen:
                return True
        return False

    def close(self):
        self.socket.close()


class Node:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.config_path = self.folder / "villaged.json"
        self.log_path = self.folder.parent / (self.folder.name + ".log")
        self.process = self.manager = None

    # --- configuration
    def verb(self, *arguments, check=True):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"villaged {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def config(self):
        return json.loads(plain_json(self.config_path.read_text()))

    def edit(self, change):
        config = self.config()
        change(config)
        self.config_path.write_text(json.dumps(config, indent=2))

    # --- process
    def start(self, environment=None, wait=True):
        self.manager = Manager()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "run", "--config", self.config_path], stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": self.manager.address, **(environment or {})})
        if wait and not self.manager.wait_for("READY=1", self.process):
            raise AssertionError(f"{self.folder.name} did not get ready:\n{self.log()}")
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.manager.close()

    def stop(self, seconds=20):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.manager.close()
        return status

    def close(self):
        """Ends the node in order, so that sanitizers speak, and fails if it did not end well."""
        if self.process is None or self.process.poll() is not None:
            return
        try:
            status = self.stop(30)
        except subprocess.TimeoutExpired:
            self.kill()
            status = "killed after 30 s"
        if status != 0:
            raise AssertionError(f"{self.folder.name} ended with {status}:\n{self.log()[-6000:]}")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # --- what it says of itself
    def get(self, path):
        connection = http.client.HTTPConnection("localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        # A path below 108 bytes, whatever TMPDIR is.
        connection.sock.connect(os.path.relpath(self.socket_path()))
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def socket_path(self):
        return self.folder / self.config().get("node", {}).get("state_dir", "state") / "control.sock"

    def status(self):
        code, text = self.get("/api/v1/status")
        assert code == 200, (code, text)
        return json.loads(text)

    def metrics(self):
        code, text = self.get("/metrics")
        assert code == 200, (code, text)
        return text

    def metric(self, name):
        """Sum over all labels of a metric."""
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.metrics().splitlines()
                   if re.match(re.escape(name) + r"[{ ]", line))

    def port(self, service):
        """The port of the first listener whose line starts with `service`: "htx", "proxy", "control"."""
        for line in self.status()["listening"]:
            if line.startswith(service) and not line.endswith(".sock"):
                return int(line.rsplit(":", 1)[1])
        raise AssertionError(f"no listener {service}")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])


class Pair:
    """An exit and an entry that know each other. The entry's proxy sends everything through the exit."""

    def __init__(self, program, folder, outer="tls"):
        folder = pathlib.Path(folder)
        self.exit, self.entry = Node(program, folder / "exit"), Node(program, folder / "entry")
        port = free_port()  # fixed, so that the exit is found again after a restart
        self.exit.verb("init", "--dir", str(self.exit.folder), "--name", "exit", "--role", "exit", "--listen",
                       f"127.0.0.1:{port}", "--control", "127.0.0.1:0")
        made = json.loads(self.entry.verb("init", "--dir", str(self.entry.folder), "--name", "entry", "--proxy",
                                          "127.0.0.1:0", "--control", "127.0.0.1:0", "--json").stdout)

        def short_drain(config):
            config["control"]["drain_timeout"] = "3s"

        def change(config):
            config["htx"]["listen"][0]["outer"] = outer
            config["htx"]["exit"]["allow_private"] = True  # the tests' targets are on loopback

        self.entry_key = made["key"]
        self.exit.edit(change)
        for node in (self.exit, self.entry):
            node.edit(short_drain)
        self.exit.verb("peer", "add", "--inbound", made["key"], "--name", "entry", "--config", str(self.exit.config_path))
        uri = self.exit.verb("peer", "invite", f"127.0.0.1:{port}", "--config", str(self.exit.config_path)).stdout
        self.entry.verb("peer", "add", uri.strip(), "--config", str(self.entry.config_path))

    def start(self):
        self.exit.start()
        self.entry.start()
        return self

    def close(self):
        try:
            self.entry.close()
        finally:
            self.exit.close()

    @property
    def proxy_port(self):
        return self.entry.port("proxy")


@contextlib.contextmanager
def pair(program, outer="tls", change=None, start=True):
    with tempfile.TemporaryDirectory(prefix="villaged-test-") as folder:
        nodes = Pair(program, folder, outer)
        try:
            if change:
                change(nodes)
            if start:
                nodes.start()
            yield nodes
        except BaseException:
            for node in (nodes.exit, nodes.entry):
                print(f"--- log of {node.folder.name}\n{node.log()[-4000:]}", file=sys.stderr)
            raise
        finally:
            nodes.close()


# --- clients
def curl(proxy, url, output, *options, timeout=120, scheme="socks5h"):
    """Runs curl through the proxy; returns its exit status and what it wrote to standard output."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail", "--noproxy", "", "--max-time", str(timeout), "--proxy",
         f"{scheme}://127.0.0.1:{proxy}", "--output", str(output), *options, url],
        capture_output=True, text=True, timeout=timeout + 10, check=False)
    return done.returncode, done.stdout + done.stderr


def socks_connect(proxy, host, port, timeout=30):
    """A plain SOCKS5 client: returns (reply code, connected socket)."""
    connection = socket.create_connection(("127.0.0.1", proxy), timeout=timeout)
    connection.sendall(b"\x05\x01\x00")
    assert read_exactly(connection, 2) == b"\x05\x00"
    name = host.encode()
    connection.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
    head = read_exactly(connection, 4)
    read_exactly(connection, {1: 4, 4: 16}[head[3]] + 2)
    return head[1], connection


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, "the proxy hung up"
        data += piece
    return data


def until(condition, seconds=20, what="condition"):
    """Polls until condition() is true; its value is returned."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about within {seconds} s")


def program_argument():
    """The path of the program under test: the first argument, taken out of the way of unittest."""
    if len(sys.argv) < 2:
        sys.exit("usage: <test>.py PATH-OF-VILLAGED [unittest arguments]")
    return sys.argv.pop(1)
