"""Programs work through an entry and an exit while the path between the two is cut, stalled and slowed without end.
What a program gets is right, or it is told that something broke: never a wrong byte, never an orderly end too early,
and no target takes half an upload for a whole one. The nodes find each other again each time, and keep nothing of
what is gone.

VILLAGED_CYCLES sets how many misfortunes there are; 20 if not set. VILLAGE_SEED repeats their order."""
import concurrent.futures
import hashlib
import os
import random
import socket
import socketserver
import struct
import threading
import time
import unittest

import nodes

PROGRAM = nodes.program_argument()
CYCLES = int(os.environ.get("VILLAGED_CYCLES", "20"))
SEED = int(os.environ.get("VILLAGE_SEED", random.SystemRandom().randrange(1 << 32)))
SANITIZED = os.environ.get("VILLAGED_SANITIZED") == "yes"
PROGRAMS = 12
BLOCK = 65_536
# What may stay behind: free lists and what malloc keeps, not one session's state for each of the cuts.
GROWTH_KIB = 24 * 1024
PATIENCE_S = 60  # above what a silent path takes to be noticed (two PING times)
LINGER_RESET = struct.pack("ii", 1, 0)


class Wrong(Exception):
    """Bytes that are not those that were sent, or an end that looks like success."""


class Broken(Exception):
    """What a program may see of a cut: a refusal, a reset, nothing for too long."""


def content(number, size):
    """The bytes of transfer `number`; a stranger's bytes or a shift by one show at once."""
    return random.Random(number).randbytes(size)


# --- the targets behind the exit
class Target(socketserver.BaseRequestHandler):
    """Line "<what> <number> <size>". down: the bytes and a FIN. up: bytes up to the FIN, then their digest. echo: bytes back."""

    def handle(self):
        file = self.request.makefile("rb")
        try:
            words = file.readline(100).split()
            if len(words) != 3:
                return
            what, number, size = words[0], int(words[1]), int(words[2])
            if what == b"down":
                self.request.sendall(content(number, size))
                self.request.shutdown(socket.SHUT_WR)
                self.request.recv(1)
            elif what == b"up":
                got = file.read()
                if got != content(number, size):
                    self.server.wrong.append(f"upload {number}: an orderly end behind {len(got)} of {size} bytes")
                self.request.sendall(hashlib.sha256(got).digest())
            else:
                while block := file.read1(BLOCK):
                    self.request.sendall(block)
        except OSError:
            pass  # a cut

    @staticmethod
    def serve():
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Target)
        server.daemon_threads, server.wrong = True, []
        server.request_queue_size = 256
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


# --- the path
class Relay:
    """TCP between entry and exit, in threads; everything that is open can be cut, stalled or slowed."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.lock, self.pairs = threading.Lock(), set()
        self.open = [threading.Event(), threading.Event()]  # each way: goes on?
        for way in self.open:
            way.set()
        self.pause = 0.0
        self.refuses = False
        self.accepted = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.refuses:
                self.reset(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.upstream), timeout=10)
            except OSError:
                self.reset(near)
                continue
            for each in (near, far):
                each.settimeout(None)
            with self.lock:
                self.pairs.add((near, far))
            for way, source, sink in ((0, near, far), (1, far, near)):
                threading.Thread(target=self.pump, args=(way, source, sink, (near, far)), daemon=True).start()

    def pump(self, way, source, sink, pair):
        try:
            while data := source.recv(BLOCK):
                self.open[way].wait()
                if self.pause:
                    time.sleep(self.pause)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.end(pair)

    @staticmethod
    def reset(connection):
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            connection.close()
        except OSError:
            pass

    def end(self, pair, by_reset=True):
        with self.lock:
            if pair not in self.pairs:
                return
            self.pairs.discard(pair)
        for each in pair:
            try:
                each.shutdown(socket.SHUT_RDWR) if not by_reset else None
            except OSError:
                pass
            try:
                if by_reset:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                each.shutdown(socket.SHUT_RD)  # wakes the pump
            except OSError:
                pass
            each.close()

    def cut(self, by_reset):
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.end(pair, by_reset)

    def close(self):
        for way in self.open:
            way.set()
        self.listener.close()
        self.cut(True)


# --- the programs
class Programs:
    def __init__(self, proxy, target):
        self.proxy, self.target = proxy, target
        self.stop = threading.Event()
        self.done, self.broken, self.wrong, self.reasons = 0, 0, [], {}
        self.bytes = 0
        self.lock = threading.Lock()

    def run(self, seed):
        dice = random.Random(seed)
        while not self.stop.is_set():
            number, size = dice.randrange(1 << 40), int(2 ** dice.uniform(0, 22))
            what = dice.choice((self.down, self.up, self.echo))
            try:
                what(number, size)
                with self.lock:
                    self.done += 1
                    self.bytes += size
            except Wrong as wrong:
                with self.lock:
                    self.wrong.append(str(wrong))
            except TimeoutError:
                with self.lock:
                    self.wrong.append(f"{what.__name__} {number}: nothing for {PATIENCE_S} s")
            except (Broken, OSError) as broken:
                with self.lock:
                    self.broken += 1
                    reason = str(broken) or type(broken).__name__
                    self.reasons[reason] = self.reasons.get(reason, 0) + 1
                self.stop.wait(0.1)

    def connect(self, what, number, size):
        try:
            reply, connection = nodes.socks_connect(self.proxy, "127.0.0.1", self.target, timeout=PATIENCE_S)
        except AssertionError as hung_up:
            raise Broken(str(hung_up)) from None
        if reply != 0:
            connection.close()
            raise Broken(f"reply {reply}")
        connection.sendall(f"{what} {number} {size}\n".encode())
        return connection

    def down(self, number, size):
        want = content(number, size)
        with self.connect("down", number, size) as connection:
            at = 0
            while block := connection.recv(BLOCK):
                if want[at:at + len(block)] != block:
                    raise Wrong(f"download {number}: wrong bytes at {at}")
                at += len(block)
            if at != size:
                raise Wrong(f"download {number}: an orderly end behind {at} of {size} bytes")

    def up(self, number, size):
        data = content(number, size)
        with self.connect("up", number, size) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while block := connection.recv(64):
                answer += block
            if answer != hashlib.sha256(data).digest():
                raise Wrong(f"upload {number}: an orderly end without the digest ({len(answer)} bytes)")

    def echo(self, number, size):
        size = min(size, 200_000)
        data = content(number, size)
        with self.connect("echo", number, size) as connection:
            for at in range(0, size, 20_000):
                piece = data[at:at + 20_000]
                connection.sendall(piece)
                got = b""
                while len(got) < len(piece):
                    block = connection.recv(len(piece) - len(got))
                    if not block:
                        raise Wrong(f"echo {number}: an orderly end in the midst")
                    got += block
                if got != piece:
                    raise Wrong(f"echo {number}: wrong bytes at {at}")


class Cuts(unittest.TestCase):
    outer = "tls"

    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.dice = random.Random(SEED)
        self.target = Target.serve()
        self.addCleanup(self.target.server_close)
        self.addCleanup(self.target.shutdown)
        self.pair = self.enterContext(nodes.pair(PROGRAM, self.outer, change=self.change))
        self.addCleanup(self.relay.close)

    def change(self, pair):
        port = int(str(pair.exit.config()["htx"]["listen"][0]["address"]).rsplit(":", 1)[1])
        self.relay = Relay(port)
        text = pair.entry.config_path.read_text()
        self.assertIn(f"127.0.0.1:{port}", text)
        pair.entry.config_path.write_text(text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.relay.port}"))

        def impatient(config):
            config["proxy"]["dial_timeout"] = "5s"
            config["htx"]["backoff_max"] = "1s"
        pair.entry.edit(impatient)

    def misfortune(self):
        kind = self.dice.randrange(6)
        time.sleep(self.dice.uniform(0.05, 1.0))
        if kind <= 1:
            self.relay.cut(by_reset=kind == 0)
        elif kind == 2:  # one way stands still, then goes on
            way = self.relay.open[self.dice.randrange(2)]
            way.clear()
            time.sleep(self.dice.uniform(0.1, 2.0))
            way.set()
        elif kind == 3:  # and here it is cut while it stands still
            way = self.relay.open[self.dice.randrange(2)]
            way.clear()
            time.sleep(self.dice.uniform(0.1, 1.0))
            self.relay.cut(by_reset=True)
            way.set()
        elif kind == 4:
            self.relay.pause = 0.02
            time.sleep(self.dice.uniform(0.1, 1.0))
            self.relay.pause = 0.0
        else:
            self.relay.refuses = True
            self.relay.cut(by_reset=True)
            time.sleep(self.dice.uniform(0.1, 1.5))
            self.relay.refuses = False

    def settled(self, programs):
        """All programs are through and the nodes have let go of them: descriptors and KiB of both."""
        nodes.until(lambda: self.pair.entry.status()["gateway"]["connections"] == 0, 60, "the end of all connections")
        time.sleep(1)
        both = (self.pair.entry, self.pair.exit)
        return [(node.descriptors(), node.resident_kib()) for node in both]

    def phase(self, cycles, seed):
        programs = Programs(self.pair.proxy_port, self.target.server_address[1])
        with concurrent.futures.ThreadPoolExecutor(PROGRAMS) as pool:
            jobs = [pool.submit(programs.run, seed * 1000 + i) for i in range(PROGRAMS)]
            try:
                for _ in range(cycles):
                    self.misfortune()
                    self.assertEqual(programs.wrong + self.target.wrong, [])
                    for node in (self.pair.entry, self.pair.exit):
                        self.assertIsNone(node.process.poll(), node.log()[-3000:])
            finally:
                programs.stop.set()
            for job in jobs:
                job.result()
        self.assertEqual(programs.wrong + self.target.wrong, [])
        print(f"{self.outer}: {cycles} misfortunes, {self.relay.accepted} connections of the nodes; {programs.done} transfers "
              f"({programs.bytes >> 20} MiB) right, {programs.broken} told broken {programs.reasons}", flush=True)
        self.assertGreater(programs.done, 0)
        return self.settled(programs)

    def test_right_bytes_or_a_clean_error(self):
        warm = self.phase(max(8, CYCLES // 5), SEED)
        end = self.phase(CYCLES, SEED + 1)
        for node, before, after in zip((self.pair.entry, self.pair.exit), warm, end):
            print(f"{self.outer}/{node.folder.name}: descriptors {before[0]} -> {after[0]}, RSS {before[1]} -> {after[1]} KiB",
                  flush=True)
            self.assertLess(after[0], before[0] + 20)
            if not SANITIZED:
                self.assertLess(after[1], before[1] + GROWTH_KIB)
        # And all is well as soon as the path is.
        programs = Programs(self.pair.proxy_port, self.target.server_address[1])

        def fine():
            try:
                for what in (programs.down, programs.up, programs.echo):
                    what(SEED, 300_000)
                return True
            except (Broken, OSError):
                return False
        nodes.until(fine, 60, "a transfer of each kind")


class CutsOuterNone(Cuts):
    outer = "none"


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
