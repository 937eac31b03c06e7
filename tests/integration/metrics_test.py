"""What both daemons publish passes promtool, health and readiness answer, and nothing secret is shown."""
import subprocess
import tempfile
import unittest

import nodes
import web

PROGRAM = nodes.program_argument()
nodes.need("promtool", "curl")
CONTENT = web.Content(1 << 20)


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pair = cls.enterClassContext(nodes.pair(PROGRAM))
        server = cls.enterClassContext(web.serving(CONTENT))
        with tempfile.NamedTemporaryFile() as output:
            assert nodes.curl(cls.pair.proxy_port, server.url("size/100000"), output.name)[0] == 0

    def test_promtool_accepts_both(self):
        for node in (self.pair.exit, self.pair.entry):
            done = subprocess.run(["promtool", "check", "metrics"], input=node.metrics(), text=True, capture_output=True,
                                  check=False)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), node.folder.name)

    def test_names_have_the_house_prefix(self):
        for line in self.pair.entry.metrics().splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, r"^(villaged|process)_")

    def test_http_endpoint_says_the_same_as_the_socket(self):
        port = self.pair.entry.port("control")
        done = subprocess.run(["curl", "-sS", "--fail", f"http://127.0.0.1:{port}/metrics"], text=True,
                              capture_output=True, check=True)
        self.assertIn("villaged_daemon_ready 1", done.stdout)

    def test_health_and_readiness(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.pair.exit.get(path)[0], 200)

    def test_configuration_is_masked(self):
        code, text = self.pair.entry.get("/api/v1/config")
        self.assertEqual(code, 200)
        self.assertNotIn((self.pair.entry.folder / "identity.key").read_text(errors="replace").strip(), text)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
