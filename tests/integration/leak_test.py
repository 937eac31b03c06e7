"""Descriptors and memory stay flat over many connections. VILLAGED_CYCLES sets how many; 1,000 if not set."""
import concurrent.futures
import os
import unittest

import nodes
import web

PROGRAM = nodes.program_argument()
CYCLES = int(os.environ.get("VILLAGED_CYCLES", "1000"))
CONTENT = web.Content(4096)
WARM_UP = 400


class Leaks(unittest.TestCase):
    def cycle(self, number):
        """Connections end in every way: read to the end, given up half-way, refused, never spoken on."""
        kind = number % 4
        if kind == 3:
            nodes.socket.create_connection(("127.0.0.1", self.proxy), timeout=30).close()
            return
        port = self.server.port if kind != 2 else self.dead_port
        reply, connection = nodes.socks_connect(self.proxy, "127.0.0.1", port)
        with connection:
            if kind == 2:
                self.assertEqual(reply, 5)
                return
            self.assertEqual(reply, 0)
            connection.sendall(b"GET /size/2048 HTTP/1.1\r\n\r\n")
            connection.recv(100 if kind == 1 else 65536)

    def run_cycles(self, count):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for _ in pool.map(self.cycle, range(count)):
                pass

    def quiet(self, node, baseline):
        """Waits until what the cycles opened is closed again, and returns the number of descriptors."""
        nodes.until(lambda: node.descriptors() <= baseline, 30, f"{node.folder.name}: {baseline} descriptors")
        return node.descriptors()

    def test_descriptors_and_memory(self):
        pair = self.enterContext(nodes.pair(PROGRAM))
        self.proxy, self.dead_port = pair.proxy_port, nodes.free_port()
        self.server = self.enterContext(web.serving(CONTENT))
        self.run_cycles(WARM_UP)
        both = (pair.entry, pair.exit)
        nodes.until(lambda: pair.entry.status()["gateway"]["connections"] == 0, 30, "the end of the connections")
        nodes.time.sleep(1)
        before = {node: (node.descriptors(), node.resident_kib()) for node in both}
        self.run_cycles(CYCLES)
        for node in both:
            files, memory = before[node]
            after = self.quiet(node, files)
            grown = node.resident_kib() - memory
            print(f"{node.folder.name}: {CYCLES} cycles, descriptors {files} -> {after}, "
                  f"RSS {memory} -> {memory + grown} KiB", flush=True)
            # A leak of one connection's state (about 1 KiB) in each cycle would show. A sanitizer keeps freed memory
            # back on purpose and looks for leaks itself, so its resident size says nothing.
            if os.environ.get("VILLAGED_SANITIZED") != "yes":
                self.assertLess(grown, max(1024, CYCLES // 2))


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
