"""`villaged demo` verifies what it did, in text and as JSON, and leaves neither process nor folder behind."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import nodes

PROGRAM = nodes.program_argument()


class Demo(unittest.TestCase):
    def demo(self, *arguments):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="villaged-demo-"))
        done = subprocess.run([PROGRAM, "demo", *arguments], capture_output=True, text=True, timeout=240, check=False,
                              env={**os.environ, "TMPDIR": folder})
        self.assertEqual(os.listdir(folder), [])
        return done

    def test_json(self):
        done = self.demo("--json", "--only", "htx", "--mib", "64")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertIs(report["verified"], True)
        (row,) = report["results"]
        self.assertEqual((row["transport"], row["verified"], row["bytes"], row["note"]), ("htx", True, 64 << 20, ""))
        self.assertGreater(row["seconds"], 0)

    def test_text_shows_session_facts(self):
        done = self.demo("--only", "htx", "--mib", "64")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("all verified", done.stdout)
        self.assertIn("session with", done.stdout)

    def test_bad_usage(self):
        for arguments in (["--only", "pigeon"], ["--mib", "1"], ["--nonsense"]):
            self.assertEqual(self.demo(*arguments).returncode, 2, arguments)

    def test_killed_demo_takes_its_daemons_along(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="villaged-demo-"))
        with subprocess.Popen([PROGRAM, "demo", "--only", "htx", "--mib", "16384"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env={**os.environ, "TMPDIR": folder}) as demo:
            children = nodes.until(lambda: self.children(demo.pid, 2), 60, "two daemons")
            demo.kill()
            demo.wait()
        nodes.until(lambda: not [pid for pid in children if self.alive(pid)], 10, "the end of both daemons")

    @staticmethod
    def children(pid, count):
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == pid and b"\0run\0" in (entry.parent / "cmdline").read_bytes():
                    found.append(int(entry.parent.name))
            except OSError:
                continue
        return found if len(found) >= count else None

    @staticmethod
    def alive(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
