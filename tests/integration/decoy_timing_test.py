"""Time to first byte: is the daemon's decoy told from nginx, or a bad ticket from none, by its distribution?

Interleaved one by one, one fresh connection each; the constant shift (difference of medians) is taken away; then a
two-sample Kolmogorov-Smirnov test must not tell them apart (p > 0.01). In turns, not by lot: a server answers some 40 us
sooner if the probe before was its own, for its code is in the caches then, and that must be alike for all of a sample.
Two probes of one server come in random order. Bad ticket and none are compared without taking a
shift away. The time counts from the connection's start; from the request alone it is printed. VILLAGED_PROBES_TIMED is
the number of probes of each round.
"""
import base64
import gc
import math
import os
import random
import socket
import ssl
import statistics
import time
import unittest

from decoy_test import KEY, UPGRADE, front, get

COUNT = int(os.environ.get("VILLAGED_PROBES_TIMED", "2000"))
ROUNDS = 3  # of COUNT probes each; the median p counts, for one in a hundred is below 0.01 by chance


def kolmogorov_smirnov(a, b):
    """The asymptotic p of two samples (Stephens' correction), and the distance."""
    a, b = sorted(a), sorted(b)
    i = j = 0
    distance = 0.0
    while i < len(a) and j < len(b):
        at = min(a[i], b[j])
        while i < len(a) and a[i] <= at:
            i += 1
        while j < len(b) and b[j] <= at:
            j += 1
        distance = max(distance, abs(i / len(a) - j / len(b)))
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:
        return 1.0, distance
    return min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101))), distance


def one_core(config):
    config.setdefault("net", {})["cores"] = 1  # as nginx has one worker here: which one is hit must not matter


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
CONTEXT.set_alpn_protocols(["http/1.1"])


def first_byte(port, request):
    """Microseconds from the first SYN to the first byte of the answer, and from the request alone."""
    begin = time.perf_counter_ns()
    raw = socket.create_connection(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with CONTEXT.wrap_socket(raw, server_hostname="example.org") as secured:
        asked = time.perf_counter_ns()
        secured.sendall(request)
        assert secured.recv(1)
        now = time.perf_counter_ns()
    return (now - begin) / 1000, (now - asked) / 1000


def fresh_bad_ticket():
    text = base64.urlsafe_b64encode(b"\x01" + os.urandom(144)).rstrip(b"=")
    return get(b"/ws", UPGRADE + b"Cookie: __Host-sid=" + text + b"\r\n" + KEY[:-2])


def fresh_no_ticket():
    text = base64.urlsafe_b64encode(b"\x01" + os.urandom(144)).rstrip(b"=")
    return get(b"/ws", UPGRADE + b"Cookie: session-id=" + text + b"\r\n" + KEY[:-2])


def compare(name, ways, shifted=True):
    """ways: two callables that make one probe, of two servers (`shifted`) or of one. Prints and returns the median p of
    some rounds."""
    found = []
    gc.disable()
    for _ in range(ROUNDS):
        samples = [[], []]
        for way in ways:
            for _ in range(20):
                way()
        for _ in range(COUNT // 2):
            order = [0, 1]
            if not shifted:
                random.shuffle(order)
            for which in order:
                samples[which].append(ways[which]())
        row = []
        for kind in (0, 1):  # from the SYN; from the request
            a, b = ([each[kind] for each in sample] for sample in samples)
            shift = statistics.median(b) - statistics.median(a)
            p, distance = kolmogorov_smirnov(a, [each - shift for each in b] if shifted else b)
            row.append((p, distance, shift, statistics.median(a)))
        found.append(row)
        gc.collect()
    gc.enable()
    for kind, label in enumerate(("from the connection's start", "from the request alone")):
        print(f"{name}, {label}: " + "; ".join(
            f"p={row[kind][0]:.3f} D={row[kind][1]:.3f} shift={row[kind][2]:.0f} us of {row[kind][3]:.0f} us" for row in found))
    return statistics.median(row[0][0] for row in found)


@unittest.skipIf("VILLAGED_SANITIZED" in os.environ, "sanitizers have times of their own")
class DecoyTimingTest(unittest.TestCase):
    def test_no_clock_tells_the_daemon_from_nginx(self):
        request = get(extra=b"Connection: close\r\n")
        with front(one_core) as (nginx, _, port):
            p = compare("nginx and daemon",
                        (lambda: first_byte(nginx.tls, request), lambda: first_byte(port, request)))
        self.assertGreater(p, 0.01)

    def test_no_clock_tells_a_bad_ticket_from_none(self):
        with front(one_core) as (_, _, port):
            p = compare("no ticket and bad ticket",
                        (lambda: first_byte(port, fresh_no_ticket()), lambda: first_byte(port, fresh_bad_ticket())), shifted=False)
        self.assertGreater(p, 0.01)


if __name__ == "__main__":
    # What else the machine does is not to be measured: nginx, daemon and prober go first, if they may.
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (OSError, AttributeError):
        print("not allowed to schedule in real time: expect noise")
    unittest.main()
