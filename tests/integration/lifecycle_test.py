"""One daemon's life: start, readiness, refusal of a second one, bad configurations, reload, drain, kill and restart."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import nodes
import web
from download import Download

PROGRAM = nodes.program_argument()
nodes.need("curl")
MIB = 1 << 20
CONTENT = web.Content(64 * MIB)


class Lifecycle(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="villaged-life-"))
        self.server = self.enterContext(web.serving(CONTENT))

    def pair(self, **options):
        return self.enterContext(nodes.pair(PROGRAM, **options))

    def fetch(self, pair, size=MIB, proxy=None):
        output = pathlib.Path(self.folder, "output")
        status, text = nodes.curl(proxy or pair.proxy_port, self.server.url(f"size/{size}"), output)
        self.assertEqual(status, 0, text)
        self.assertEqual(hashlib.sha256(output.read_bytes()).hexdigest(), CONTENT.digest(size))

    def test_reports_ready_watchdog_and_stopping(self):
        pair = self.pair(start=False)
        pair.exit.start({"WATCHDOG_USEC": "600000"})
        self.assertTrue(pair.exit.manager.wait_for("WATCHDOG=1", pair.exit.process))
        self.assertEqual(pair.exit.stop(), 0)
        manager = pair.exit.manager
        self.assertIn("READY=1", manager.seen)

    def test_stopping_is_announced(self):
        pair = self.pair(start=False)
        pair.exit.start()
        pair.exit.process.send_signal(signal.SIGTERM)
        self.assertTrue(pair.exit.manager.wait_for("STOPPING=1", pair.exit.process))
        self.assertEqual(pair.exit.process.wait(20), 0)

    def test_a_stopped_core_starves_the_watchdog(self):
        """SIGSTOP stands for a hang: nothing may be sent while the cores do not turn, and again afterwards."""
        pair = self.pair(start=False)
        pair.exit.start({"WATCHDOG_USEC": "600000"})
        manager, process = pair.exit.manager, pair.exit.process
        self.assertTrue(manager.wait_for("WATCHDOG=1", process))
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        manager.socket.setblocking(False)
        try:
            while True:
                manager.socket.recv(4096)
        except BlockingIOError:
            manager.socket.setblocking(True)
        manager.seen.clear()
        self.assertFalse(manager.wait_for("WATCHDOG=1", process, seconds=1.5))
        process.send_signal(signal.SIGCONT)
        self.assertTrue(manager.wait_for("WATCHDOG=1", process))

    def test_second_start_is_refused_with_the_pid_of_the_first(self):
        pair = self.pair(start=False)
        pair.exit.start()
        second = pair.exit.verb("run", "--config", str(pair.exit.config_path), check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"pid {pair.exit.process.pid}", second.stderr)
        self.assertEqual(pair.exit.status()["state"], "ready")

    def test_second_daemon_on_the_same_port_is_refused(self):
        pair = self.pair(start=False)
        pair.exit.start()
        pair.exit.edit(lambda config: config["node"].__setitem__("state_dir", "other-state"))
        second = pair.exit.verb("run", "--config", str(pair.exit.config_path), check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("already in use", second.stderr)

    def test_mistakes_in_the_configuration_have_a_place(self):
        pair = self.pair(start=False)
        pair.exit.config_path.write_text('{\n  "node": {"name": "x"},\n  "lgo": {}\n}\n')
        done = pair.exit.verb("run", "--config", str(pair.exit.config_path), check=False)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"villaged\.json:3:3: .*log")

    def test_missing_configuration_and_bad_usage(self):
        node = nodes.Node(PROGRAM, self.folder)
        self.assertEqual(node.verb("run", "--config", "/nonexistent/villaged.json", check=False).returncode, 2)
        self.assertEqual(node.verb("run", check=False).returncode, 2)
        self.assertEqual(node.verb("rnu", check=False).returncode, 2)
        self.assertEqual(node.verb("run", "--help").returncode, 0)

    def test_addresses_are_printed_and_secrets_are_not(self):
        pair = self.pair()
        log = pair.entry.log()
        port = pair.proxy_port
        self.assertIn(f"127.0.0.1:{port}", log)
        for path in pair.entry.folder.glob("*.key"):
            self.assertNotIn(path.read_text(errors="replace").strip()[-20:], log)

    def test_sandbox_is_active_and_said_to_be(self):
        pair = self.pair()
        active = pair.entry.status()["sandbox"]
        text = pair.entry.metrics()
        for part in ("seccomp", "landlock"):
            value = [line for line in text.splitlines() if "sandbox_active" in line and f'"{part}"' in line]
            self.assertEqual(len(value), 1, part)
            self.assertEqual(value[0].endswith(" 1"), part in active, value)
        if os.environ.get("VILLAGED_SANITIZED") != "yes":
            self.assertIn("seccomp", active)
            state = pathlib.Path(f"/proc/{pair.entry.process.pid}/status").read_text()
            self.assertIn("Seccomp:\t2", state)
            self.assertIn("NoNewPrivs:\t1", state)

    def test_sandbox_can_be_switched_off(self):
        def off(pair):
            pair.exit.edit(lambda config: config.__setitem__("daemon", {"seccomp": False, "landlock": False}))
        pair = self.pair(change=off)
        self.assertEqual(pair.exit.status()["sandbox"], [])
        self.fetch(pair)

    def test_reload_of_a_route_keeps_the_running_download(self):
        pair = self.pair()
        proxy, other = pair.proxy_port, self.enterContext(web.serving(CONTENT))
        download = Download(proxy, self.server.url(f"held/{32 * MIB}"), self.folder)
        self.assertTrue(self.server.reached.wait(30))
        self.assertEqual(nodes.socks_connect(proxy, "127.0.0.1", other.port)[0], 0)

        def block(config):
            config["proxy"].setdefault("routes", []).insert(0, {"ports": [other.port], "outbound": "block"})
        pair.entry.edit(block)
        pair.entry.process.send_signal(signal.SIGHUP)
        nodes.until(lambda: pair.entry.metric("villaged_daemon_reloads_total") == 1, what="reload")
        self.assertEqual(nodes.socks_connect(proxy, "127.0.0.1", other.port)[0], 2)
        self.server.gate.set()
        self.assertEqual(download.wait(), (0, "", CONTENT.digest(32 * MIB)))

    def test_bad_reload_is_refused_and_the_old_configuration_stays(self):
        pair = self.pair()
        proxy, before = pair.proxy_port, pair.entry.config_path.read_text()
        pair.entry.config_path.write_text(before.replace('"proxy"', '"prxoy"', 1))
        pair.entry.process.send_signal(signal.SIGHUP)
        nodes.until(lambda: 'reloads_total{outcome="refused"} 1' in pair.entry.metrics(), what="refusal")
        self.assertIn("prxoy", pair.entry.log())
        self.fetch(pair, proxy=proxy)

    def test_reload_names_keys_that_need_a_restart(self):
        pair = self.pair()
        port = pair.proxy_port
        pair.entry.edit(lambda config: config.setdefault("net", {}).__setitem__("cores", 1))
        pair.entry.process.send_signal(signal.SIGHUP)
        nodes.until(lambda: "/net/cores" in pair.entry.log(), what="the report")
        self.fetch(pair, proxy=port)

    def test_reloads_asked_for_at_once_all_come_about(self):
        """Twelve operators rotate at once: no one is refused, and the last key is the one in force."""
        pair = self.pair()
        command = [PROGRAM, "peer", "rotate-tickets", "--config", str(pair.exit.config_path)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                   for _ in range(12)]
        told = [process.communicate(timeout=120)[0] for process in running]
        for process, text in zip(running, told):
            self.assertEqual(process.returncode, 0, text)
            self.assertIn("has taken the change over", text)
        newest = pair.exit.verb("peer", "invite", "--config", str(pair.exit.config_path)).stdout
        in_force = pair.exit.status()["tickets"]["keys"][0]["id"]
        self.assertIn(f"ticket={in_force}.", newest)

    def test_reload_adds_and_removes_a_peer(self):
        pair = self.pair()
        port = pair.proxy_port
        self.fetch(pair, proxy=port)
        pair.exit.edit(lambda config: config["htx"].__setitem__("peers", []))
        pair.exit.process.send_signal(signal.SIGHUP)
        nodes.until(lambda: pair.exit.metric("villaged_daemon_reloads_total") == 1, what="reload")
        nodes.until(lambda: not [s for s in pair.exit.status()["sessions"] if s["state"] == "connected"],
                    what="the end of the removed peer's sessions")

    def test_peer_added_to_a_running_exit_gets_in(self):
        def forget(pair):
            pair.exit.verb("peer", "remove", "entry", "--config", str(pair.exit.config_path))
        pair = self.pair(change=forget)
        port = pair.proxy_port
        output = pathlib.Path(self.folder, "output")
        self.assertNotEqual(nodes.curl(port, self.server.url("size/10"), output, timeout=20)[0], 0)
        done = pair.exit.verb("peer", "add", "--inbound", pair.entry_key, "--name", "entry", "--config",
                              str(pair.exit.config_path))
        self.assertIn("has taken the change over", done.stdout)
        nodes.until(lambda: nodes.curl(port, self.server.url("size/10"), output, timeout=20)[0] == 0, 30, "a download")

    def test_reload_that_names_a_certificate_elsewhere_needs_a_restart(self):
        pair = self.pair()
        other = pathlib.Path(self.folder, "elsewhere.pem")
        other.write_text((pair.exit.folder / "certificate.pem").read_text())
        pair.exit.edit(lambda config: config["htx"]["listen"][0].__setitem__("certificate", str(other)))
        pair.exit.process.send_signal(signal.SIGHUP)
        nodes.until(lambda: pair.exit.metric("villaged_daemon_reloads_total") == 1, what="reload")
        if "landlock" in pair.exit.status()["sandbox"]:
            self.assertIn("needs a restart", pair.exit.log())
        self.fetch(pair)

    def test_sigterm_lets_a_download_end(self):
        def patient(pair):
            pair.entry.edit(lambda config: config["control"].__setitem__("drain_timeout", "60s"))
        pair = self.pair(change=patient)
        download = Download(pair.proxy_port, self.server.url(f"held/{8 * MIB}"), self.folder)
        self.assertTrue(self.server.reached.wait(30))
        proxy = pair.proxy_port
        pair.entry.process.send_signal(signal.SIGTERM)
        nodes.until(lambda: not self.accepts(proxy), what="the end of accepting")
        self.assertIsNone(pair.entry.process.poll())
        self.server.gate.set()
        self.assertEqual(download.wait(), (0, "", CONTENT.digest(8 * MIB)))
        self.assertEqual(pair.entry.process.wait(20), 0)

    def test_drain_is_bounded(self):
        def short(pair):
            pair.entry.edit(lambda config: config["control"].__setitem__("drain_timeout", "500ms"))
        pair = self.pair(change=short)
        download = Download(pair.proxy_port, self.server.url(f"held/{8 * MIB}"), self.folder)
        self.assertTrue(self.server.reached.wait(30))
        started = time.monotonic()
        self.assertEqual(pair.entry.stop(), 0)
        self.assertLess(time.monotonic() - started, 6)
        self.assertNotEqual(download.wait()[0], 0)

    def test_second_signal_ends_at_once(self):
        pair = self.pair()
        download = Download(pair.proxy_port, self.server.url(f"held/{8 * MIB}"), self.folder)
        self.assertTrue(self.server.reached.wait(30))
        pair.entry.process.send_signal(signal.SIGTERM)
        self.assertTrue(pair.entry.manager.wait_for("STOPPING=1", pair.entry.process))
        pair.entry.process.send_signal(signal.SIGINT)
        self.assertEqual(pair.entry.process.wait(3), 0)
        self.assertNotEqual(download.wait()[0], 0)

    def test_kill_and_restart_on_the_same_state(self):
        pair = self.pair()
        self.fetch(pair)
        for _ in range(3):
            pair.entry.kill()
            pair.entry.start()
            self.fetch(pair)
        self.assertEqual(pair.entry.stop(), 0)
        self.assertFalse(pair.entry.socket_path().exists())

    def test_idle_memory_is_below_40_mb(self):
        pair = self.pair()
        for node in (pair.entry, pair.exit):
            kib = node.resident_kib()
            print(f"{node.folder.name}: idle RSS {kib / 1024:.1f} MiB", flush=True)
            if os.environ.get("VILLAGED_SANITIZED") != "yes":
                self.assertLessEqual(kib * 1024, 40e6)

    def test_status_verb_reads_the_running_node(self):
        pair = self.pair()
        self.fetch(pair)
        status = json.loads(pair.entry.verb("status", "--json", "--config", str(pair.entry.config_path)).stdout)
        self.assertEqual(status["state"], "ready")
        self.assertEqual(status["name"], "entry")

    @staticmethod
    def accepts(port):
        try:
            nodes.socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return True
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
