"""Debian's nginx as the decoy's origin and as the reference beside it, and a TLS client that notices everything."""
import os
import pathlib
import re
import select
import socket
import ssl
import subprocess
import time

from nodes import free_port, until

TIMEOUT_S = 2  # nginx's patience in these tests, and the daemon's for a TLS handshake


class Nginx:
    """One nginx with four faces of one site: TLS (the reference), clear HTTP/1.1, clear HTTP/2, and what answers
    clear text on a TLS port."""

    def __init__(self, folder, certificate, key):
        self.folder = pathlib.Path(folder)
        (self.folder / "site" / "dir").mkdir(parents=True)
        (self.folder / "site" / "index.html").write_text("<!doctype html><title>A site</title><p>Hello.\n")
        (self.folder / "site" / "dir" / "index.html").write_text("<p>Below.\n")
        (self.folder / "site" / "big.bin").write_bytes(bytes(i * 7 % 251 for i in range(300_000)))
        self.tls, self.clear, self.clear_h2, self.plain = (free_port() for _ in range(4))
        common = f"root {self.folder}/site; absolute_redirect off;"
        self.config = self.folder / "nginx.conf"
        self.config.write_text(f"""
daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  types {{ text/html html; }} default_type application/octet-stream; access_log off; sendfile on; tcp_nopush on;
  client_header_timeout {TIMEOUT_S}s; client_body_timeout {TIMEOUT_S}s; keepalive_timeout {TIMEOUT_S}s;
  lingering_timeout 1s; lingering_time 2s; keepalive_requests 100000;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
  ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
  server {{ listen 127.0.0.1:{self.tls} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key}; {common} }}
  server {{ listen 127.0.0.1:{self.clear}; {common} }}
  server {{ listen 127.0.0.1:{self.clear_h2} http2; {common} }}
  server {{ listen 127.0.0.1:{self.plain}; return 497; }}
}}
""")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-e", f"{self.folder}/error.log", "-c", self.config],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.answers, what="nginx")
        return self

    def answers(self):
        assert self.process.poll() is None, (self.folder / "error.log").read_text()
        return all(answers(port) for port in (self.tls, self.clear, self.clear_h2, self.plain))

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    def decoy(self):
        return {"origin": f"127.0.0.1:{self.clear}", "origin_h2": f"127.0.0.1:{self.clear_h2}",
                "origin_plain": f"127.0.0.1:{self.plain}", "tls_timeout": f"{TIMEOUT_S}s"}


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Wire:
    """A TCP connection that remembers how it ended and, with TLS, each record that came."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begin = time.monotonic()
        self.end, self.was_reset = "open", False
        self.ended_after = None
        self.records, self._raw = [], b""
        self.tls = None

    # --- TLS
    def secure(self, alpn=("http/1.1",), name="example.org", versions=None, session=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if versions:
            context.minimum_version, context.maximum_version = versions
        if alpn:
            context.set_alpn_protocols(list(alpn))
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
        while True:
            try:
                self.tls.do_handshake()
                self._flush()
                return self
            except ssl.SSLWantReadError:
                self._flush()
                if not self._pull(10):
                    raise ConnectionError(self.end)
            except ssl.SSLError as error:
                self._flush()
                self.end = "alert " + str(error.reason)
                raise ConnectionError(self.end)

    def _flush(self):
        data = self.outgoing.read()
        if data:
            self.socket.sendall(data)

    def _pull(self, seconds):
        """Takes what comes into the TLS engine; False at the end or when nothing comes."""
        data = self.raw(seconds)
        if not data:
            return False
        self._note_records(data)
        self.incoming.write(data)
        return True

    def _note_records(self, data):
        self._raw += data
        while len(self._raw) >= 5 and len(self._raw) >= 5 + int.from_bytes(self._raw[3:5], "big"):
            size = int.from_bytes(self._raw[3:5], "big")
            self.records.append((self._raw[0], size))
            self._raw = self._raw[5 + size:]

    # --- bytes
    def raw(self, seconds):
        """Bytes off the socket; b"" at the end (then self.end says which) or when nothing comes (still "open")."""
        if not select.select([self.socket], [], [], max(0, seconds))[0]:
            return b""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data, self.was_reset = b"", True
            self.end = "reset" if self.end == "open" else self.end
        if not data:
            self.ended_after = time.monotonic() - self.begin
            if self.end == "open":
                self.end = "fin"
        return data

    def send(self, data):
        try:
            if self.tls:
                self.tls.write(data)
                self._flush()
            else:
                self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            self.end = "reset"
        return self

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            self.end = "reset"
        return self

    def read(self, seconds, enough=None):
        """All plaintext until the end, until nothing has come by the deadline, or until enough(bytes)."""
        deadline, all_bytes = time.monotonic() + seconds, b""
        while not (enough and enough(all_bytes)):
            if self.tls is None:
                data = self.raw(deadline - time.monotonic())
                if not data:
                    break
                all_bytes += data
                continue
            try:
                data = self.tls.read(65536)
                if not data:
                    raise ssl.SSLZeroReturnError
                all_bytes += data
            except ssl.SSLWantReadError:
                self._flush()
                if not self._pull(deadline - time.monotonic()):
                    break
            except ssl.SSLZeroReturnError:
                self.end = "close_notify"
                while self.raw(0.5):
                    pass
                self.end += " fin" if self.ended_after is not None else ""
                break
            except ssl.SSLError as error:
                self.end = "alert " + str(error.reason)
                break
        return all_bytes

    def say_goodbye(self):
        """Our close_notify, if TLS, without a FIN."""
        if self.tls:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            try:
                self._flush()
            except OSError:
                self.end = "reset"
        return self

    def finish(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return self

    def after(self):
        """What a close_notify gets when the server has ended already: a reset from a closed socket, or nothing."""
        if self.end == "open" or self.end == "reset":
            return "-"
        self.say_goodbye()
        time.sleep(0.4)  # the FIN makes the socket readable for ever, so there is nothing to wait for
        try:
            self.socket.recv(1)
        except ConnectionResetError:
            self.was_reset = True
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return "reset" if error or self.was_reset else "quiet"

    def close(self):
        self.socket.close()


def without_date(text):
    return re.sub(rb"(?im)^date: [^\r\n]*", b"Date: *", text)
