"""Recorded requests with good tickets, shown again to a node that was killed with SIGKILL and started anew; and peers
that fall silent behind their 101. Whoever has no fresh ticket must see the web server and nothing else."""
import concurrent.futures
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

import access_ticket
from nodes import Node, free_port, need, plain_json, program_argument, until
from web_origin import Nginx, Wire, without_date

PROGRAM = program_argument()
need("/usr/sbin/nginx")
SEED = int(os.environ.get("VILLAGE_SEED", random.SystemRandom().randrange(1 << 32)))
ROUNDS = int(os.environ.get("VILLAGED_CYCLES", "3"))


def hour():
    return int(time.time()) // 3600


class TicketTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.random = random.Random(SEED)
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="villaged-tickets-"))
        os.chmod(folder, 0o755)
        self.node = Node(PROGRAM, os.path.join(folder, "exit"))
        self.port = free_port()  # fixed: it comes back there
        self.node.verb("init", "--dir", str(self.node.folder), "--name", "exit", "--role", "exit", "--listen",
                       f"127.0.0.1:{self.port}", "--control", "127.0.0.1:0")
        self.nginx = Nginx(folder, self.node.folder / "certificate.pem", self.node.folder / "certificate.key")
        self.nginx.start()
        self.addCleanup(self.nginx.close)

        def change(config):
            config["htx"]["decoy"] = self.nginx.decoy()
            config["control"]["drain_timeout"] = "1s"
            config["htx"]["handshake_timeout"] = "2s"

        self.node.edit(change)
        self.node.start()
        self.addCleanup(self.node.close)
        uri = self.node.verb("peer", "invite", f"127.0.0.1:{self.port}", "--config", str(self.node.config_path)).stdout
        words = urllib.parse.parse_qs(uri.strip().split("?", 1)[1])
        self.assertIn("ticket", words, uri)
        self.key = words["ticket"][0]
        upgrade = self.node.config()["htx"].get("upgrade", {})
        self.place = {"path": upgrade.get("path", "/ws"), "cookie": upgrade.get("cookie", "__Host-sid")}

    def tearDown(self):
        log = self.node.log()
        if "panic" in log or "check failed" in log:
            print(log[-4000:], file=sys.stderr)

    def request(self, ticket):
        return access_ticket.request(ticket, **self.place, random=self.random.randbytes)

    def ticket(self, offset=0):
        return access_ticket.make(self.key, hour() + offset, self.random.randbytes)

    def ask(self, head, port=None, keep=False):
        """The whole first answer; the connection too if it is to be kept."""
        wire = Wire(port or self.port).secure().send(head)
        text = wire.read(20, enough=answered)
        if keep:
            return text, wire
        wire.close()
        return text

    def restart_hard(self):
        self.node.kill()
        self.node.start()

    def expect_decoy(self, head):
        want, got = self.ask(head, self.nginx.tls), self.ask(head)
        self.assertFalse(got.startswith(b"HTTP/1.1 101"), "a ticket opened the door twice")
        self.assertEqual(without_date(got), without_date(want))

    def expect_in(self, head, accept):
        text, wire = self.ask(head, keep=True)
        self.assertTrue(text.startswith(b"HTTP/1.1 101 "), text)
        self.assertIn(b"Sec-WebSocket-Accept: " + accept + b"\r\n", text)
        return wire

    def test_a_recorded_request_opens_the_door_once(self):
        for round_ in range(ROUNDS):
            # The hours around this one are good as well: the edges from both sides. An edge may pass meanwhile, so
            # the outer ones are tried only far from it.
            far = 300 < time.time() % 3600 < 3300
            recorded = []
            for offset in (-1, 0, 1) if far else (0,):
                head, accept = self.request(self.ticket(offset))
                wire = self.expect_in(head, accept)
                recorded.append(head)
                if offset == 0:
                    self.node.kill()  # at once behind the 101
                    wire.close()
                    self.node.start()
                    self.expect_decoy(head)
                else:
                    self.expect_decoy(head)
                    wire.close()
            self.restart_hard()
            for head in recorded:
                self.expect_decoy(head)
            for offset in (-2, 2) if far else (-3, 3):
                self.expect_decoy(self.request(self.ticket(offset))[0])
            # Cut from the file: what a crash in mid-write leaves behind must lose no whole entry.
            self.node.kill()
            state = self.node.folder / self.node.config().get("node", {}).get("state_dir", "state")
            files = [path for path in state.iterdir() if "replay" in path.name]
            self.assertEqual(len(files), 1, files)
            with open(files[0], "ab") as file:
                file.write(self.random.randbytes(1 + round_ * 13 % 39))
            self.node.start()
            for head in recorded:
                self.expect_decoy(head)
            self.expect_in(*self.request(self.ticket())).close()

    def test_no_ticket_of_a_crowd_is_spent_twice_whenever_the_node_dies(self):
        for _ in range(ROUNDS):
            self.restart_hard()  # a full bucket: each of the 40 may fail once below and is judged all the same
            heads = [self.request(self.ticket())[0] for _ in range(40)]
            seen, enough = [None] * len(heads), threading.Semaphore(0)

            def spend(i):
                try:
                    seen[i] = self.ask(heads[i])
                except (ConnectionError, OSError):
                    seen[i] = b""  # it died first
                enough.release()

            die_behind = 1 + self.random.randrange(30)
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                jobs = [pool.submit(spend, i) for i in range(len(heads))]
                for _ in range(die_behind):
                    self.assertTrue(enough.acquire(timeout=60))
                self.node.kill()
                for job in jobs:
                    job.result()
            self.node.start()
            opened = [text.startswith(b"HTTP/1.1 101") for text in seen]
            print(f"{sum(opened)} of {len(heads)} came in before the end", flush=True)
            self.assertGreater(sum(opened), 0)
            for head, was_open in zip(heads, opened):
                if was_open:
                    self.expect_decoy(head)
                else:  # it may have been spent without an answer; twice never
                    if self.ask(head).startswith(b"HTTP/1.1 101"):
                        self.expect_decoy(head)

    def test_who_falls_silent_behind_the_101_hears_nothing_and_is_closed(self):
        # A shape whose server loses patience after three seconds.
        shipped = pathlib.Path(__file__).parents[2] / "config" / "shapes" / "nginx-websocket.json"
        hasty = json.loads(plain_json(shipped.read_text()))
        hasty["websocket_idle_timeout"] = [["3s", "3s", 1]]
        shape = self.node.folder / "hasty.json"
        shape.write_text(json.dumps(hasty))
        self.node.edit(lambda config: config["htx"].__setitem__("shape", str(shape)))
        self.node.stop()
        self.node.start()
        for behind in (b"", b"HTX", b"HTX\x05" + bytes(300), self.random.randbytes(2_000)):
            wire = self.expect_in(*self.request(self.ticket()))
            before, begin = len(wire.records), time.monotonic()
            if behind:
                wire.send(behind)
            said = wire.read(30)
            self.assertEqual(said, b"", behind)
            self.assertTrue(wire.end.startswith("close_notify"), (behind, wire.end))
            self.assertGreater(time.monotonic() - begin, 2.5)
            self.assertLessEqual(len(wire.records) - before, 1, "nothing but the notice")
            wire.close()
        until(lambda: self.node.metric("villaged_htx_handshakes_pending") == 0, what="the end of all handshakes")
        self.expect_in(*self.request(self.ticket())).close()


def answered(text):
    """A head, and the body that it announces."""
    head, found, body = text.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: (\d+)", head)
    return bool(found) and len(body) >= int(length[1] if length else 0)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
