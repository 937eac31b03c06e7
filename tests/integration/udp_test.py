"""SOCKS5 UDP ASSOCIATE, by an independent client (python3-socks): directly, and over HTX through two daemons."""
import unittest

import nodes
import web

PROGRAM = nodes.program_argument()
socks = nodes.need_module("socks")


def direct_udp(pair):
    def change(config):
        config["proxy"].setdefault("routes", []).insert(0, {"network": "udp", "outbound": "direct"})
    pair.entry.edit(change)


class Udp(unittest.TestCase):
    def client(self, pair):
        client = socks.socksocket(socks.socket.AF_INET, socks.socket.SOCK_DGRAM)
        client.set_proxy(socks.SOCKS5, "127.0.0.1", pair.proxy_port)
        client.settimeout(10)
        self.addCleanup(client.close)
        return client

    def test_datagrams_go_direct(self):
        pair = self.enterContext(nodes.pair(PROGRAM, change=direct_udp))
        echo, client = web.UdpEcho(), self.client(pair)
        for size in (0, 1, 500, 1400, 8000):
            data = bytes(i % 251 for i in range(size))
            client.sendto(data, ("127.0.0.1", echo.port))
            received, source = client.recvfrom(65536)
            self.assertEqual(received, data)
            self.assertEqual(source, ("127.0.0.1", echo.port))

    def test_datagrams_go_over_htx(self):
        for outer in ("none", "tls"):
            with self.subTest(outer=outer), nodes.pair(PROGRAM, outer=outer) as pair:
                echo, client = web.UdpEcho(), self.client(pair)
                for size in (0, 1, 500, 1400, 8000, 60000):
                    data = bytes(i % 251 for i in range(size))
                    client.sendto(data, ("127.0.0.1", echo.port))
                    received, source = client.recvfrom(65536)
                    self.assertEqual(received, data)
                    self.assertEqual(source, ("127.0.0.1", echo.port))
                for number in range(2000):
                    client.sendto(b"%d" % number, ("127.0.0.1", echo.port))
                    self.assertEqual(client.recvfrom(65536)[0], b"%d" % number)
                client.close()

    def test_names_are_resolved_at_the_exit(self):
        pair = self.enterContext(nodes.pair(PROGRAM))
        echo, client = web.UdpEcho(), self.client(pair)
        client.sendto(b"by name", ("localhost", echo.port))
        received, source = client.recvfrom(65536)
        self.assertEqual((received, source), (b"by name", ("127.0.0.1", echo.port)))


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
