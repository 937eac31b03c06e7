"""An access ticket made from its description in docs/protocols (not from the program's code), and the request that
carries it."""
import base64
import hashlib
import hmac
import os

P = 2**255 - 19


def x25519(scalar, u):
    """RFC 7748 section 5; not constant time, which a test need not be."""
    k = int.from_bytes(scalar, "little") & ~7 & ~(1 << 255) | 1 << 254
    x1 = int.from_bytes(u, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def unpad(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make(ticket_key, hour, random=os.urandom):
    """`ticket_key` as in an invitation: "<key id>.<public key>"."""
    key_id, public = map(unpad, ticket_key.split("."))
    secret = random(32)
    client = x25519(secret, bytes([9]) + bytes(31))
    r = random(16)
    pretag_key = hashlib.sha256(b"htx-pretag-v1" + public).digest()
    pretag = hmac.digest(pretag_key, client + key_id + r, "sha256")[:16]
    salt = hashlib.sha256(b"betanet-ticket-v1" + key_id + hour.to_bytes(8, "big")).digest()
    extracted = hmac.digest(salt, x25519(secret, public), "sha256")
    tag = hmac.digest(extracted, b"\x01", "sha256")
    padding = random(24 + random(1)[0] % 41)
    return base64.urlsafe_b64encode(b"\x01" + client + key_id + r + pretag + tag + padding).rstrip(b"=").decode()


def request(ticket, path="/ws", cookie="__Host-sid", host="example.org", random=os.urandom):
    """The request of a browser that opens a WebSocket, and the Sec-WebSocket-Accept that answers it."""
    key = base64.b64encode(random(16)).decode()
    accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    head = (f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
            f"Cache-Control: no-cache\r\nUser-Agent: x\r\nUpgrade: websocket\r\nOrigin: https://{host}\r\n"
            "Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip\r\nAccept-Language: en\r\n"
            f"Cookie: {cookie}={ticket}\r\nSec-WebSocket-Key: {key}\r\n\r\n")
    return head.encode(), base64.b64encode(accept)
