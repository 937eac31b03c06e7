"""A download that goes on while the test does something else."""
import hashlib
import pathlib
import threading

import nodes


class Download(threading.Thread):
    """One curl in the background; `result` is (exit status, text, digest)."""

    def __init__(self, proxy, url, folder):
        super().__init__(daemon=True)
        self.arguments, self.output = (proxy, url), pathlib.Path(folder, f"download-{id(self)}")
        self.result = None
        self.start()

    def run(self):
        status, text = nodes.curl(*self.arguments, self.output, timeout=60)
        digest = hashlib.sha256(self.output.read_bytes()).hexdigest() if self.output.exists() else ""
        self.result = (status, text, digest)

    def wait(self):
        self.join(90)
        return self.result
