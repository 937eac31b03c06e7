"""Strangers flood a node from 127.1.0.0/16 while honest clients come in from 127.200.0.0/16. The same flood hits a
server that only hangs up, in turns: the p99 of the honest ones may be at most twice what it is then. Afterwards
crowds that hold their connections and say little or nothing.

A stranger that finishes its TLS handshake costs this machine as much on its own side as on the node's, which a
server without TLS never lets it spend. For that kind the null server finishes the handshake and then hangs up; the
ratio to the one without TLS is printed beside it.

VILLAGED_FLOOD scales the numbers: 1 = a twentieth (not set), 20 = all (10,000 slow peers)."""
import json
import os
import pathlib
import subprocess
import sys
import unittest

import nodes

PROGRAM = nodes.program_argument()
FLOOD = str(pathlib.Path(PROGRAM).with_name("village_flood"))
SCALE = int(os.environ.get("VILLAGED_FLOOD", "1"))
SANITIZED = os.environ.get("VILLAGED_SANITIZED") == "yes"
ROUNDS = 4 if SCALE == 1 else 12
GUESTS = 60  # in a round
SLOW_PEERS = 500 * SCALE
# What strangers may make a node hold: a handshake's state for each place (1,000 of them, 64 KiB each with TLS).
MEMORY_KIB = 96 * 1024


def tool(*words, **options):
    done = subprocess.run([FLOOD, *map(str, words)], capture_output=True, text=True, timeout=900, check=False, **options)
    assert done.returncode == 0, f"village_flood {words}: exit {done.returncode}\n{done.stderr}"
    return json.loads(done.stdout)


def p99(times):
    return sorted(times)[len(times) * 99 // 100]


class Flood(unittest.TestCase):
    outer = "none"
    kinds = ("garbage", "half-hello", "noise")
    whole_handshakes = ("tls-garbage",)
    per_second = 600

    def setUp(self):
        self.pair = self.enterContext(nodes.pair(PROGRAM, self.outer, change=self.change, start=False))
        self.exit, self.entry = self.pair.exit, self.pair.entry
        self.exit.start()  # the entry only lends its identity
        self.target = f"127.0.0.1:{self.exit.port('htx')}"
        pem = [str(self.exit.folder / name) for name in ("certificate.pem", "certificate.key")]
        self.server = subprocess.Popen([FLOOD, "serve", *pem], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop_server)
        self.ports = json.loads(self.server.stdout.readline())
        self.assertEqual(self.guests(20)["failures"], [])  # everything is warm
        self.before = self.exit.resident_kib()

    def stop_server(self):
        self.server.stdin.close()
        self.server.wait(30)
        self.server.stdout.close()

    def change(self, pair):
        pass

    def guests(self, count=GUESTS):
        return tool("guests", self.entry.config_path, self.ports["echo"], count, 2)

    def crowd(self, kind, target, count, per_second, hold):
        words = ["crowd", kind, target, count, per_second, hold, self.entry.config_path]
        return subprocess.Popen([FLOOD, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, crowd):
        out, errors = crowd.communicate(timeout=600)
        self.assertEqual(crowd.returncode, 0, errors)
        return json.loads(out)

    def under(self, kind, target):
        """Honest clients while `target` is flooded; the flood outlasts them."""
        crowd = self.crowd(kind, target, self.per_second * 20, self.per_second, 2)
        try:
            nodes.time.sleep(0.3)
            answer = self.guests()
            self.assertIsNone(crowd.poll(), "the flood ended too early")
            self.peak = max(self.peak, self.exit.resident_kib())
        finally:
            crowd.kill()
            crowd.communicate()
        self.failures += answer["failures"]
        return answer["milliseconds"]

    def test_honest_clients_under_a_flood(self):
        for kind in self.kinds:
            with self.subTest(kind):
                self.peak, self.failures = 0, []
                # Other TLS kinds meet the one without TLS: there the null server gets the same connections.
                nulls = ["null_tls", "null"] if kind in self.whole_handshakes else ["null"]
                times = {each: [] for each in (*nulls, "node")}
                judged = self.exit.metric("villaged_htx_tickets_total")
                for _ in range(ROUNDS):
                    for each in times:
                        times[each] += self.under(kind, self.target if each == "node" else self.ports[each])
                ratios = [p99(times["node"]) / p99(times[each]) for each in nulls]
                ratio = ratios[0]
                grown = self.peak - self.before
                beside = f" (to a null server without TLS {ratios[1]:.2f})" if len(ratios) > 1 else ""
                print(f"{self.outer}/{kind}: p99 {p99(times['node']):.1f} ms, null server {p99(times[nulls[0]]):.1f} ms, "
                      f"ratio {ratio:.2f}{beside}; RSS +{grown} KiB; failures {len(self.failures)} of "
                      f"{ROUNDS * GUESTS * len(times)}; load {os.getloadavg()[0]:.1f}", flush=True)
                if kind.startswith("wrong-"):
                    judged = self.exit.metric("villaged_htx_tickets_total") - judged - ROUNDS * GUESTS * len(times)
                    print(f"{judged:.0f} of the strangers' tickets were judged", flush=True)
                    self.assertGreater(judged, 0)
                self.assertEqual(self.failures, [])
                if not SANITIZED:
                    self.assertLess(grown, MEMORY_KIB)
                    self.assertLessEqual(ratio, 2.0 if SCALE > 1 else 3.0)  # a few hundred samples: the p99 is noisy

    slow_kinds = ("silent", "slow-hello")

    def test_slow_peers(self):
        need = SLOW_PEERS + 1_000
        if os.sysconf("SC_OPEN_MAX") < need:
            self.skipTest(f"needs {need} descriptors")
        for kind in self.slow_kinds:
            with self.subTest(kind):
                crowd = self.crowd(kind, self.target, SLOW_PEERS, max(500, SLOW_PEERS // 5), 12)
                try:
                    nodes.time.sleep(1.5)
                    answer = self.guests()
                    grown = self.exit.resident_kib() - self.before
                    nodes.until(lambda: self.exit.status(), 10, "an answer of the control interface")
                    report = self.finish(crowd)
                finally:
                    crowd.kill()
                print(f"{self.outer}/{kind}: {SLOW_PEERS} slow peers {report}, honest p99 {p99(answer['milliseconds']):.1f} ms, "
                      f"RSS +{grown} KiB", flush=True)
                self.assertEqual(answer["failures"], [])
                self.assertGreater(report["connected"], SLOW_PEERS * 9 // 10)
                if not SANITIZED:
                    self.assertLess(grown, MEMORY_KIB)
        files = self.exit.descriptors()
        nodes.until(lambda: self.exit.descriptors() < 100, 30, f"the end of {files} descriptors")


class FloodTls(Flood):
    outer = "tls"
    kinds = ("garbage", "half-hello", "tls-garbage", "wrong-tag", "wrong-hour")
    slow_kinds = ("silent", "slow-hello", "tls-silent", "tls-slow")


if __name__ == "__main__":
    if not os.access(FLOOD, os.X_OK):
        nodes.give_up("village_flood is not built")
    unittest.main(verbosity=2, warnings="ignore")
