"""A mixnet of real daemons: authorities, mixes, gateways and clients on loopback. A mix is killed, an epoch ends."""
import json
import os
import subprocess
import tempfile
import unittest

import nodes

PROGRAM = nodes.program_argument()


class Mix(unittest.TestCase):
    @unittest.skipIf(os.environ.get("VILLAGED_SANITIZED"), "sixteen sanitized daemons need more than this machine has")
    def test_demo_verifies_every_message(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="villaged-mix-"))
        done = subprocess.run([PROGRAM, "demo", "--only", "mix", "--messages", "60", "--json"], capture_output=True,
                              text=True, timeout=500, check=False, env={**os.environ, "TMPDIR": folder})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        (row,) = json.loads(done.stdout)["results"]
        self.assertEqual((row["transport"], row["verified"], row["note"]), ("mix", True, ""))
        self.assertGreaterEqual(row["items"], 60)
        self.assertEqual(os.listdir(folder), [])

    def test_check_names_what_a_role_lacks(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="villaged-mix-"))
        subprocess.run([PROGRAM, "keygen", "--out", f"{folder}/identity.key"], check=True, capture_output=True)
        config = f"{folder}/villaged.json"
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"mix": {"roles": ["client", "mix"]}}, file)
        done = subprocess.run([PROGRAM, "check", "--config", config], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        for place in ("/mix/directory", "/mix/roles", '"gateway"'):
            self.assertIn(place, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
