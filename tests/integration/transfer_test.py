"""curl through two daemons: sizes, HTTP and HTTPS, IPv4 and IPv6, both proxy protocols, half-close, many at once."""
import concurrent.futures
import hashlib
import pathlib
import tempfile
import unittest

import nodes
import web

PROGRAM = nodes.program_argument()
nodes.need("curl", "openssl")
MIB = 1 << 20
CONTENT = web.Content(256 * MIB)


class Transfer(unittest.TestCase):
    outer = "tls"

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="villaged-curl-"))
        cls.pair = cls.enterClassContext(nodes.pair(PROGRAM, cls.outer))
        cls.proxy = cls.pair.proxy_port
        cls.certificate, context = web.make_certificate(cls.folder)
        cls.http4 = cls.enterClassContext(web.serving(CONTENT))
        cls.http6 = cls.enterClassContext(web.serving(CONTENT, "::1"))
        cls.https4 = cls.enterClassContext(web.serving(CONTENT, context=context))
        cls.https6 = cls.enterClassContext(web.serving(CONTENT, "::1", context))

    def fetch(self, url, size, *options, scheme="socks5h"):
        output = pathlib.Path(self.folder, "output")
        status, text = nodes.curl(self.proxy, url, output, "--cacert", str(self.certificate), *options, scheme=scheme)
        self.assertEqual(status, 0, text)
        digest = hashlib.sha256()
        with output.open("rb") as file:
            while block := file.read(MIB):
                digest.update(block)
        self.assertEqual(output.stat().st_size, size)
        self.assertEqual(digest.hexdigest(), CONTENT.digest(size))

    def test_sizes_over_http(self):
        for size in (1, 2, 1000, 16_383, 16_384, 16_385, 65_535, 65_536, MIB, MIB + 1, 16 * MIB):
            with self.subTest(size=size):
                self.fetch(self.http4.url(f"size/{size}"), size)

    def test_256_mib_over_http(self):
        self.fetch(self.http4.url(f"size/{256 * MIB}"), 256 * MIB)

    def test_https(self):
        for size in (1, 65_537, 32 * MIB):
            with self.subTest(size=size):
                self.fetch(self.https4.url(f"size/{size}"), size)

    def test_ipv6_targets(self):
        self.fetch(self.http6.url(f"size/{MIB}"), MIB)
        self.fetch(self.https6.url(f"size/{MIB}"), MIB)

    def test_names_are_resolved_at_the_exit(self):
        self.fetch(self.http4.url(f"size/{MIB}", host="localhost"), MIB)
        self.fetch(self.https4.url(f"size/{MIB}", host="localhost"), MIB)

    def test_http_proxy_connect_and_plain(self):
        self.fetch(self.https4.url(f"size/{MIB}"), MIB, scheme="http")
        self.fetch(self.http4.url(f"size/{MIB}"), MIB, "--proxytunnel", scheme="http")
        self.fetch(self.http4.url(f"size/{MIB}"), MIB, scheme="http")

    def test_local_socks5_resolution(self):
        self.fetch(self.http4.url(f"size/{MIB}"), MIB, scheme="socks5")

    def test_half_close(self):
        server = web.DigestServer()
        self.addCleanup(server.shutdown)
        data = CONTENT.data[: 3 * MIB + 1]
        reply, connection = nodes.socks_connect(self.proxy, "127.0.0.1", server.server_address[1])
        self.assertEqual(reply, 0)
        connection.sendall(data)
        connection.shutdown(1)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        connection.close()
        self.assertEqual(answer.decode(), hashlib.sha256(data).hexdigest())

    def test_200_downloads_at_once(self):
        size, count = MIB, 200
        url = self.http4.url(f"size/{size}")
        lines = [f'url = "{url}"\noutput = "{self.folder}/part-{i}"' for i in range(count)]
        listing = pathlib.Path(self.folder, "listing")
        listing.write_text("\n".join(lines))
        status, text = nodes.curl(self.proxy, url, f"{self.folder}/part-{count}", "--parallel", "--parallel-immediate",
                                  "--parallel-max", str(count), "--config", str(listing))
        self.assertEqual(status, 0, text)
        expected = CONTENT.digest(size)
        for i in range(count):
            data = pathlib.Path(self.folder, f"part-{i}").read_bytes()
            self.assertEqual(hashlib.sha256(data).hexdigest(), expected, i)

    def test_refused_target_is_told_to_the_client(self):
        reply, connection = nodes.socks_connect(self.proxy, "127.0.0.1", nodes.free_port())
        connection.close()
        self.assertEqual(reply, 5)

    def test_unknown_name_is_told_to_the_client(self):
        reply, connection = nodes.socks_connect(self.proxy, "no-such-host.invalid", 80)
        connection.close()
        self.assertEqual(reply, 4)

    def test_many_clients_from_threads(self):
        def one(i):
            reply, connection = nodes.socks_connect(self.proxy, "127.0.0.1", self.http4.port)
            with connection:
                connection.sendall(f"GET /size/{1000 + i} HTTP/1.1\r\n\r\n".encode())
                head, _, body = nodes.read_exactly(connection, 38 + 1000 + i + len(str(1000 + i)) - 1), None, None
            return reply, head.endswith(CONTENT.data[: 1000 + i][-100:])
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            for reply, fine in pool.map(one, range(200)):
                self.assertEqual(reply, 0)
                self.assertTrue(fine)

    def test_sessions_carried_it(self):
        """Last by name order does not matter: the counters only grow."""
        self.fetch(self.http4.url(f"size/{MIB}"), MIB)
        sessions = self.pair.entry.status()["sessions"]
        self.assertTrue(any(session["state"] == "connected" for session in sessions), sessions)


class TransferOuterNone(Transfer):
    outer = "none"


class TransferDirect(Transfer):
    """The same without a tunnel: what the entry itself sends out."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pair.entry.stop()
        cls.pair.entry.edit(lambda config: config["proxy"].__setitem__("default", "direct"))
        cls.pair.entry.start()
        cls.proxy = cls.pair.proxy_port

    def test_sessions_carried_it(self):
        self.fetch(self.http4.url(f"size/{MIB}"), MIB)
        self.assertEqual([s for s in self.pair.entry.status()["sessions"] if s["state"] == "connected"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
