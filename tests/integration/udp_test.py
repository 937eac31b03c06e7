"""SOCKS5 UDP ASSOCIATE, by an independent client (python3-socks): direct works, over HTX is refused with reply 7."""
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

    def test_over_htx_is_refused_with_reply_7(self):
        pair = self.enterContext(nodes.pair(PROGRAM))
        with self.assertRaises((socks.SOCKS5Error, socks.GeneralProxyError)) as caught:
            self.client(pair).sendto(b"x", ("127.0.0.1", 9))
        self.assertIn("0x07", str(caught.exception))


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
