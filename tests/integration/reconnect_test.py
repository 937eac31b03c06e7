"""The exit dies in mid-download, or the path breaks; the entry finds it again by itself."""
import hashlib
import pathlib
import tempfile
import time
import unittest

import nodes
import web
from download import Download

PROGRAM = nodes.program_argument()
nodes.need("curl")
MIB = 1 << 20
CONTENT = web.Content(16 * MIB)


def impatient(pair):
    """Short waits, so that the tests are short; the defaults suit real networks."""
    def change(config):
        config["proxy"]["dial_timeout"] = "3s"
        config["htx"]["backoff_max"] = "1s"
    pair.entry.edit(change)


class Reconnect(unittest.TestCase):
    outer = "tls"

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="villaged-reconnect-"))
        self.server = self.enterContext(web.serving(CONTENT))

    def fetch(self, proxy):
        output = pathlib.Path(self.folder, "output")
        status, _ = nodes.curl(proxy, self.server.url(f"size/{MIB}"), output, timeout=30)
        return status == 0 and hashlib.sha256(output.read_bytes()).hexdigest() == CONTENT.digest(MIB)

    def test_exit_killed_in_mid_download(self):
        pair = self.enterContext(nodes.pair(PROGRAM, self.outer, change=impatient))
        proxy = pair.proxy_port
        self.assertTrue(self.fetch(proxy))
        for _ in range(3):
            self.server.gate.clear()
            self.server.reached.clear()
            download = Download(proxy, self.server.url(f"held/{8 * MIB}"), self.folder)
            self.assertTrue(self.server.reached.wait(30))
            killed = time.monotonic()
            pair.exit.kill()
            status, _, _ = download.wait()
            self.assertNotEqual(status, 0, "curl must see the loss")
            self.assertLess(time.monotonic() - killed, 15)
            self.server.gate.set()
            pair.exit.start()
            nodes.until(lambda: self.fetch(proxy), 30, "a download after the restart")

    def test_exit_that_is_away_fails_the_client_in_bounded_time(self):
        pair = self.enterContext(nodes.pair(PROGRAM, self.outer, change=impatient))
        proxy = pair.proxy_port
        self.assertTrue(self.fetch(proxy))
        pair.exit.kill()
        started = time.monotonic()
        self.assertFalse(self.fetch(proxy))
        self.assertLess(time.monotonic() - started, 25)

    def test_entry_started_before_its_exit(self):
        pair = self.enterContext(nodes.pair(PROGRAM, self.outer, change=impatient, start=False))
        pair.entry.start()
        self.assertFalse(self.fetch(pair.proxy_port))
        pair.exit.start()
        nodes.until(lambda: self.fetch(pair.proxy_port), 30, "a download after the exit came")

    def test_stranger_is_refused(self):
        def forget(pair):
            impatient(pair)
            pair.exit.edit(lambda config: config["htx"].__setitem__("peers", []))
        pair = self.enterContext(nodes.pair(PROGRAM, self.outer, change=forget))
        self.assertFalse(self.fetch(pair.proxy_port))
        self.assertEqual([s for s in pair.exit.status()["sessions"] if s["state"] == "connected"], [])


class ReconnectOuterNone(Reconnect):
    outer = "none"


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
