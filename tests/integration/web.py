"""Local servers that the tests fetch from: HTTP, HTTPS, and a TCP server that answers after the client's FIN."""
import contextlib
import hashlib
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import threading

BLOCK = 256 * 1024


class Content:
    """Random bytes made once; /size/N is their first N bytes."""

    def __init__(self, size):
        self.data = os.urandom(size)

    def digest(self, size):
        return hashlib.sha256(memoryview(self.data)[:size]).hexdigest()


class Handler(socketserver.StreamRequestHandler):
    """GET /size/N sends N bytes. GET /held/N sends half of them, and the rest when the server's gate is opened."""

    def handle(self):
        while self.one_request():
            pass

    def one_request(self):
        line = self.rfile.readline(4096).decode("latin-1").split()
        if len(line) < 2:
            return False
        while self.rfile.readline(4096).strip():
            pass
        target = line[1]
        if target.startswith("http://"):
            target = "/" + target.split("/", 3)[3]
        kind, _, number = target.lstrip("/").partition("/")
        size = int(number)
        self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        held = size // 2 if kind == "held" else None
        view = memoryview(self.server.content.data)
        sent = 0
        while sent < size:
            if held is not None and sent >= held:
                self.wfile.flush()
                self.server.reached.set()
                if not self.server.gate.wait(60):
                    return False
                held = None
            end = min(size, sent + BLOCK, held if held is not None else size)
            self.wfile.write(view[sent:end])
            sent = end
        return True


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, address, content, context=None):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.content, self.context = content, context
        self.gate, self.reached = threading.Event(), threading.Event()
        super().__init__((address, 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def get_request(self):
        connection, peer = super().get_request()
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def handle_error(self, request, client_address):
        pass  # clients of these tests hang up when they like

    @property
    def port(self):
        return self.server_address[1]

    def url(self, path, host=None):
        scheme = "https" if self.context else "http"
        if host is None:
            host = "[::1]" if self.address_family == socket.AF_INET6 else "127.0.0.1"
        return f"{scheme}://{host}:{self.port}/{path}"


@contextlib.contextmanager
def serving(content, address="127.0.0.1", context=None):
    server = Server(address, content, context)
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()


def make_certificate(folder):
    """A self-signed certificate for localhost and both loopback addresses; returns (certificate, context)."""
    certificate, key = pathlib.Path(folder, "web.crt"), pathlib.Path(folder, "web.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
         "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


class DigestServer(socketserver.ThreadingTCPServer):
    """Reads until the client's FIN, then answers with the SHA-256 of what came: works only with half-close."""
    daemon_threads = True
    allow_reuse_address = True

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            digest = hashlib.sha256()
            while block := self.request.recv(BLOCK):
                digest.update(block)
            self.request.sendall(digest.hexdigest().encode())

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class UdpEcho:
    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                data, peer = self.socket.recvfrom(65536)
                self.socket.sendto(data, peer)
