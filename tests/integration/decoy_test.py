"""Strangers' probes, to Debian's nginx itself and to a daemon in front of the same nginx: nobody may see a difference."""
import base64
import concurrent.futures
import contextlib
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

from nodes import Node, free_port, need, program_argument, until
from web_origin import TIMEOUT_S, Nginx, Wire, without_date

PROGRAM = program_argument()
need("/usr/sbin/nginx")
need("curl")
SCHEMA = pathlib.Path(__file__).parents[2] / "config" / "villaged.schema.json"
if '"tickets"' not in SCHEMA.read_text():
    print("skipped: this daemon asks for no tickets, so it has no strangers")
    sys.exit(77)

PATIENCE_S = TIMEOUT_S + 1.6
HOST = b"Host: example.org\r\n"
UPGRADE = (b"Connection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: x\r\nUpgrade: websocket\r\n"
           b"Origin: https://example.org\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip\r\n"
           b"Accept-Language: en\r\n")
KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
# Version 1, then what a stranger makes up: right in form, of no key that anybody has.
UNKNOWN = base64.urlsafe_b64encode(b"\x01" + bytes(range(128)) + bytes(16)).rstrip(b"=")
H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
H2_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def h2_get(stream=1, path=b"\x84"):  # HPACK: :method GET, :scheme https, path, :authority example.org
    block = b"\x82\x87" + path + b"\x41\x0bexample.org"
    return len(block).to_bytes(3, "big") + b"\x01\x05" + stream.to_bytes(4, "big") + block


def get(path=b"/", extra=b"", version=b"1.1", host=HOST):
    return b"GET " + path + b" HTTP/" + version + b"\r\n" + host + extra + b"\r\n"


def said(wire, data, seconds=PATIENCE_S):
    """The usual probe: say this, then listen until the end."""
    wire.send(data)
    return wire.read(seconds)


def plain(data):
    return lambda port: observe(port, lambda wire: said(wire, data), tls=False)


def tls(data, **options):
    return lambda port: observe(port, lambda wire: said(wire, data), **options)


def script(*steps, **options):
    """Steps are bytes to send or seconds to wait, then the end is awaited."""
    def run(wire):
        seen = b""
        for step in steps:
            if isinstance(step, bytes):
                wire.send(step)
            elif callable(step):
                step(wire)
            else:
                seen += wire.read(step)
        return seen + wire.read(PATIENCE_S)
    return lambda port: observe(port, run, **options)


def observe(port, run, tls=True, **options):
    wire = Wire(port)
    seen = b""
    try:
        if tls:
            wire.secure(**options)
        handshake = len(wire.records)
        seen = run(wire)
        end, took = wire.end, wire.ended_after
        # Handshake records but for the signature (70 to 72 bytes), then those of the answer.
        flight = [kind for kind, _ in wire.records[:handshake]]
        answer = wire.records[handshake:]
        if len(seen) > 16384 or options.get("alpn", ("",))[:1] == ("h2",):
            # A burst in several writes may meet us as one, and an answer above a record comes as it comes.
            answer = sum(size > 64 for _, size in answer) > 0
        return {"bytes": without_date(seen), "end": end, "when": None if took is None else round(took),
                "after": wire.after(), "flight": flight, "records": answer,
                "version": wire.tls.version() if wire.tls else None,
                "alpn": wire.tls.selected_alpn_protocol() if wire.tls else None}
    except ConnectionError as error:
        wire.read(PATIENCE_S) if wire.tls is None else None
        return {"handshake": str(error), "raw": wire.records, "end": wire.end}
    finally:
        wire.close()


def bad_record(wire):
    wire.send_raw(b"\x17\x03\x03\x00\x20" + bytes(32))


PROBES = {
    # --- plain requests
    "get": tls(get()),
    "get_close": tls(get(extra=b"Connection: close\r\n")),
    "head": tls(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "not_found": tls(get(b"/nothing")),
    "redirect": tls(get(b"/dir")),
    "range": tls(get(extra=b"Range: bytes=3-9\r\n")),
    "conditional": tls(get(extra=b"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n")),
    "big": tls(get(b"/big.bin", b"Connection: close\r\n")),
    "http10": tls(b"GET / HTTP/1.0\r\n\r\n"),
    "http09": tls(b"GET /\r\n"),
    "http2_version": tls(get(version=b"2.0")),
    "http3_version": tls(get(version=b"3.7")),
    "post": tls(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nabcd"),
    "trace": tls(b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "connect": tls(b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "options": tls(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "absolute_uri": tls(get(b"http://example.org/")),
    "pipelined": tls(get() + get(b"/nothing") + get(extra=b"Connection: close\r\n")),
    "pipelined_after_upgrade": tls(get(b"/ws", UPGRADE + KEY[:-2]) + get(b"/nothing")),
    # --- malformed
    "no_host": tls(get(host=b"")),
    "two_hosts": tls(get(extra=HOST)),
    "bad_host": tls(get(host=b"Host: a b\r\n")),
    "bad_method": tls(b"get / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "bad_line": tls(b"GET\r\n\r\n"),
    "bad_escape": tls(get(b"/%zz")),
    "traversal": tls(get(b"/../etc/passwd")),
    "nul": tls(b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "bare_lf": tls(b"GET / HTTP/1.1\nHost: example.org\n\n"),
    "bad_chunked": tls(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "unknown_coding": tls(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: rot13\r\n\r\n"),
    "length_and_chunked": tls(b"POST / HTTP/1.1\r\n" + HOST +
                              b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "long_uri": tls(get(b"/" + b"a" * 9_000)),
    "long_field": tls(get(extra=b"X: " + b"a" * 9_000 + b"\r\n")),
    "many_fields": tls(get(extra=b"".join(b"X-%d: %s\r\n" % (i, b"a" * 200) for i in range(200)))),
    "binary": tls(bytes(range(1, 255))),
    "tls_in_tls": tls(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)),
    "ssh": tls(b"SSH-2.0-OpenSSH_9.2\r\n"),
    # --- ways in that are none
    "upgrade_no_ticket": tls(get(b"/ws", UPGRADE + KEY[:-2])),
    "upgrade_garbage_cookie": tls(get(b"/ws", UPGRADE + b"Cookie: __Host-sid=!!!\r\n" + KEY[:-2])),
    "upgrade_garbage_ticket": tls(get(b"/ws", UPGRADE + b"Cookie: __Host-sid=" + b"A" * 200 + b"\r\n" + KEY[:-2])),
    "upgrade_unknown_ticket": tls(get(b"/ws", UPGRADE + b"Cookie: __Host-sid=" + UNKNOWN + b"\r\n" + KEY[:-2])),
    "upgrade_unknown_query": tls(get(b"/ws?bn1=" + UNKNOWN, UPGRADE + KEY[:-2])),
    "upgrade_bad_escape": tls(get(b"/ws?bn1=%zz", UPGRADE + KEY[:-2])),
    "upgrade_then_bytes": script(get(b"/ws", UPGRADE + b"Cookie: __Host-sid=" + UNKNOWN + b"\r\n" + KEY[:-2]), 0.2,
                                 b"HTX\x04" + bytes(50)),
    # --- time
    "silent": script(),
    "slow_head": script(b"GET / HT", 0.3, b"TP/1.1\r\n", 0.3, HOST, 0.3, b"\r\n"),
    "slow_upgrade": script(b"GET /ws HTTP/1.1\r\n", 0.3, HOST + UPGRADE, 0.3, KEY),
    "half_head": script(b"GET / HTTP/1.1\r\nHost: exa"),
    "half_upgrade": script(b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE),
    "half_body": script(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nabc"),
    "dripping": script(b"G", 0.9, b"E", 0.9, b"T", 0.9, b" ", 0.9),
    "kept_alive": script(get(), 0.5, get(b"/dir/"), 0.5, get(b"/nothing")),
    # --- ends
    "half_close": script(get(), lambda wire: wire.say_goodbye().finish()),
    "half_close_close": script(get(extra=b"Connection: close\r\n"), lambda wire: wire.say_goodbye().finish()),
    "h2_half_close": script(H2_PREFACE + H2_SETTINGS + h2_get(), lambda wire: wire.say_goodbye().finish(),
                            alpn=("h2",)),
    "early_notice": script(lambda wire: wire.say_goodbye()),
    "early_fin": script(lambda wire: wire.finish()),
    "fin_in_head": script(b"GET / HT", lambda wire: wire.finish()),
    "fin_in_upgrade": script(b"GET /ws HTTP/1.1\r\nHost:", lambda wire: wire.finish()),
    "bad_record": script(bad_record),
    "bad_record_later": script(get(), 0.3, bad_record),
    "data_after_close": script(get(extra=b"Connection: close\r\n"), 0.5, get()),
    "data_after_400": script(b"bad\r\n\r\n", 0.3, b"more", 0.2, b"and more"),
    # --- HTTP/2
    "h2_get": script(H2_PREFACE + H2_SETTINGS + h2_get(), 0.4, alpn=("h2", "http/1.1")),
    "h2_silent": script(alpn=("h2",)),
    "h2_http1_inside": script(get(), alpn=("h2",)),
    "h2_garbage": script(H2_PREFACE + b"\xff" * 64, alpn=("h2",)),
    "h2_preface_in_http1": tls(H2_PREFACE + H2_SETTINGS),
    # --- TLS
    "alpn_none": tls(get(), alpn=()),
    "alpn_http10": tls(get(), alpn=("http/1.0",)),
    "alpn_unknown": tls(get(), alpn=("spdy/3",)),
    "tls12": tls(get(), versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)),
    "tls12_upgrade": tls(get(b"/ws", UPGRADE + b"Cookie: __Host-sid=" + UNKNOWN + b"\r\n" + KEY[:-2]),
                         versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)),
    "tls11": tls(get(), versions=(ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1)),
    "wrong_sni": tls(get(), name="nobody.invalid"),
    "no_sni": tls(get(), name=None),
    "address_sni": tls(get(), name="127.0.0.1"),
    # --- no TLS
    "clear_get": plain(get()),
    "clear_bad": plain(b"bad\r\n\r\n"),
    "clear_half": plain(b"GET / HT"),
    "clear_silent": plain(b""),
    "clear_garbage": plain(bytes(range(1, 100))),
    "sslv2": plain(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37)),
    "clear_alert": plain(b"\x15\x03\x01\x00\x02\x02\x28"),
    "broken_hello": plain(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
    "half_hello": plain(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "clear_fin": lambda port: observe(port, lambda wire: wire.finish().read(PATIENCE_S), tls=False),
}


# Where nginx itself behaves otherwise behind TLS than in clear, so that what stands behind us cannot do the same.
# Each is named in docs/THREATS.md.
KNOWN = {
    "pipelined": {"records"},  # answers in a burst: one record for each there, as they come here
    "pipelined_after_upgrade": {"records"},
    "upgrade_then_bytes": {"records"},
    "half_body": {"end", "records", "after"},  # an answer sent before a body that never comes: no close_notify there
    "long_uri": {"after"},  # reads on for a while in clear, closes at once behind TLS
    "data_after_close": {"after"},  # the other way round
    "h2_silent": {"bytes"},  # the error code of its GOAWAY
}


@contextlib.contextmanager
def front(change=None):
    """nginx, and an exit whose strangers meet it."""
    with tempfile.TemporaryDirectory(prefix="villaged-decoy-") as folder:
        node = Node(PROGRAM, os.path.join(folder, "exit"))
        port = free_port()
        node.verb("init", "--dir", str(node.folder), "--name", "exit", "--role", "exit", "--listen",
                  f"127.0.0.1:{port}", "--control", "127.0.0.1:0")
        os.chmod(folder, 0o755)
        nginx = Nginx(folder, node.folder / "certificate.pem", node.folder / "certificate.key")

        def decoy(config):
            config["htx"]["decoy"] = nginx.decoy()
            config["control"]["drain_timeout"] = "1s"
            if change:
                change(config)

        node.edit(decoy)
        try:
            nginx.start()
            node.start()
            yield nginx, node, port
        except BaseException:
            print(node.log()[-4000:], file=sys.stderr)
            raise
        finally:
            node.close()
            nginx.close()


def unlike(name, want, got):
    return sorted(key for key in set(want) | set(got) if want.get(key) != got.get(key) and key not in KNOWN.get(name, ()))


class DecoyTest(unittest.TestCase):
    def test_no_probe_tells_the_daemon_from_the_web_server(self):
        chosen = os.environ.get("VILLAGED_PROBES", "").split() or list(PROBES)
        with front() as (nginx, node, port), concurrent.futures.ThreadPoolExecutor(12) as pool:
            def compare(name):
                for attempt in range(3):  # an answer may cross a second's edge, and the machine may be slow
                    pair = [pool.submit(PROBES[name], each) for each in (nginx.tls, port)]
                    want, got = (each.result() for each in pair)
                    if not unlike(name, want, got):
                        return None
                return name, want, got

            with concurrent.futures.ThreadPoolExecutor(5) as drivers:
                wrong = [each for each in drivers.map(compare, chosen) if each]
            for name, want, got in wrong:
                for key in unlike(name, want, got):
                    print(f"{name}: {key}\n  nginx  {want.get(key)!r:.300}\n  daemon {got.get(key)!r:.300}")
            print(f"{len(chosen)} probes, {len(chosen) - len(wrong)} alike")
            self.assertEqual([each[0] for each in wrong], [])
            until(lambda: node.metric("villaged_htx_decoy_connections") == 0, what="end of all splices")

    def test_an_origin_that_is_down_looks_like_a_dead_worker(self):
        with front() as (nginx, node, port):
            nginx.close()
            wire = Wire(port).secure()
            said(wire, get())
            self.assertIn(wire.end, ("fin", "reset"))
            self.assertGreaterEqual(node.metric("villaged_htx_decoy_origin_down_total"), 1)
            wire.close()

    def test_a_fresh_exit_shows_its_page(self):
        with front(lambda config: config["htx"].update(decoy={"directory": "decoy"})) as (_, _, port):
            wire = Wire(port).secure()
            answer = said(wire, get(extra=b"Connection: close\r\n"))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
            self.assertIn(b"It works!", answer)
            wire.close()

    def test_a_fresh_exit_shows_its_page_over_http2(self):
        def curl(*arguments):
            return subprocess.run(["curl", "-sk", "--max-time", "20", *arguments], capture_output=True, text=True, timeout=30)

        with front(lambda config: config["htx"].update(decoy={"directory": "decoy"})) as (_, node, port):
            folder = node.folder / "decoy"
            big = bytes(range(256)) * 4096
            (folder / "big.bin").write_bytes(big)
            node.process.send_signal(signal.SIGHUP)
            url = f"https://127.0.0.1:{port}"
            for version in ("--http2", "--http1.1"):
                until(lambda: curl(version, "-o", "/dev/null", "-w", "%{http_code}", url + "/big.bin").stdout == "200",
                      what="the reload")
                page = curl(version, "-i", url + "/")
                self.assertTrue(page.stdout.startswith("HTTP/2 200" if version == "--http2" else "HTTP/1.1 200"), page)
                self.assertIn("It works!", page.stdout)
                for name in ("date", "content-type", "content-length", "last-modified", "etag"):
                    self.assertIn(f"\n{name}: ", page.stdout.lower())
                etag = [line for line in page.stdout.splitlines() if line.lower().startswith("etag: ")][0][6:]

                def status(*arguments, path="/"):
                    return curl(version, "-o", "/dev/null", "-w", "%{http_code}", *arguments, url + path).stdout

                self.assertEqual(status("-I"), "200")
                self.assertEqual(status(path="/nothing"), "404")
                self.assertEqual(status("-d", "x=1"), "405")
                # A body beyond any window: the answer does not wait for a time-out.
                self.assertEqual(status("--data-binary", "@" + str(folder / "big.bin")), "405")
                self.assertEqual(status("-H", "If-None-Match: " + etag), "304")
                self.assertEqual(status("-r", "0-3"), "206")
                self.assertEqual(status("-r", "99999-"), "416")
                self.assertEqual(status("--path-as-is", path="/../x"), "400")
                got = subprocess.run(["curl", "-sk", version, "--max-time", "20", url + "/big.bin"], capture_output=True,
                                     timeout=30).stdout
                self.assertEqual(got, big)

    def test_a_flood_of_http2_frames_gets_goaway(self):
        floods = {"ping": b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + bytes(8),
                  "settings": H2_SETTINGS,
                  "reset": None}
        with front(lambda config: config["htx"].update(decoy={"directory": "decoy"})) as (_, _, port):
            for name, frame in floods.items():
                wire = Wire(port).secure(alpn=("h2",))
                if frame:
                    flood = frame * 300
                else:
                    flood = b"".join(h2_get(stream) + b"\x00\x00\x04\x03\x00" + stream.to_bytes(4, "big") +
                                     b"\x00\x00\x00\x08" for stream in range(1, 601, 2))
                answer = said(wire, H2_PREFACE + H2_SETTINGS + flood)
                goaway = answer.rfind(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00")
                self.assertEqual(len(answer) - goaway, 17, name)
                self.assertEqual(answer[-4:], b"\x00\x00\x00\x0b", name)  # ENHANCE_YOUR_CALM
                wire.close()

    def test_sessions_are_resumed_on_every_core(self):
        with front() as (nginx, node, port):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

            def connect(session=None):
                with socket.create_connection(("127.0.0.1", port)) as raw, context.wrap_socket(
                        raw, server_hostname="example.org", session=session) as secured:
                    secured.sendall(get(extra=b"Connection: close\r\n"))
                    while secured.recv(65536):
                        pass
                    return secured.session_reused, secured.session

            _, session = connect()
            reused = []
            for _ in range(16):
                was, session = connect(session)
                reused.append(was)
            self.assertEqual(reused, [True] * 16)


if __name__ == "__main__":
    unittest.main()
