"""A mixnet of real daemons, one of which has its directory by HTX, under attack: a replay across kill -9, a directory
that is forged, led back, contradicts itself or runs out, a clock that is wrong, nodes whose delays are audited, and an
end in order."""
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

import nodes
from mixnet import Mixnet, Relay, epoch_of

PROGRAM = nodes.program_argument()
# Sanitized daemons on a machine that has much to do need longer rounds.
EPOCH = "30s" if os.environ.get("VILLAGED_SANITIZED") else "12s"
INJECTOR = str(pathlib.Path(PROGRAM).with_name("village_mix_injector"))


def quick(name, config):
    """Delays that nodes but one draw themselves, long enough to be seen; proofs within an epoch; many loops."""
    mix = config["mix"]
    mix["delay"] = {"policy": "header" if name in ("authority", "mix4") else "vrf", "mean": "200ms", "max": "1s"}
    mix["cover"] = {"loop_mean": "100ms"}


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="villaged-mix-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.net = Mixnet(PROGRAM, cls.folder, EPOCH, mixes=4, gateways=2, change=quick)
        address = cls.net.authority_line.split("@")[1].split(":")
        cls.relay = Relay((address[0], int(address[1])))
        cls.addClassCleanup(cls.relay.close)
        asks_relay = [word.replace("@" + ":".join(address), "@" + cls.relay.address) for word in cls.net.options]
        cls.net.join("victim", asks_relay)
        cls.by_htx_only("mix4")
        cls.addClassCleanup(cls.net.close)
        cls.net.start(*(name for name in cls.net.members if name not in ("client", "victim")))
        cls.net.until_valid("mix1", "mix2", "gateway1")

    # --- helpers
    @classmethod
    def by_htx_only(cls, name):
        """Makes the authority a peer of a node, and its HTTP port one that refuses that node."""
        authority, node = cls.net["authority"], cls.net[name]
        closed = socket.socket()
        cls.addClassCleanup(closed.close)
        closed.bind(("127.0.0.1", 0))
        htx = f"127.0.0.1:{nodes.free_port()}"

        def listens(config):
            config["htx"].setdefault("listen", []).append({"address": htx, "outer": "none"})

        def knows_no_http(config):
            (entry,) = config["mix"]["directory"]["authorities"]
            entry["address"] = f"127.0.0.1:{closed.getsockname()[1]}"

        authority.edit(listens)
        authority.verb("mix", "node", "add", node.key, "--config", str(authority.config_path))
        uri = authority.verb("peer", "invite", htx, "--config", str(authority.config_path)).stdout.strip()
        node.verb("peer", "add", uri, "--config", str(node.config_path))
        node.edit(knows_no_http)

    def document(self, name, epoch):
        return self.net[name].folder / "state" / "mix" / f"document-{epoch}.json"

    def resigned(self, text, change):
        """A document changed by `change` and signed by the authority, as one that cheats would."""
        document = json.loads(text)["document"]
        change(document)
        draft = self.folder / "draft.json"
        draft.write_text(json.dumps(document))
        key = self.net["authority"].folder / "identity.key"
        return self.net["authority"].verb("mix", "directory", "sign", str(draft), "--key", str(key)).stdout.strip().encode()

    def refused(self, words):
        """Waits until the victim tells in its status why it refuses; it has counted that, too."""
        def told():
            state = self.net.mix("victim")
            return any(word in state["problem"] for word in words)

        nodes.until(told, 60, f"problem with {words}; it says {self.net.mix('victim')['problem']!r}")
        metrics = self.net["victim"].metrics()
        found = re.search(r'mix_directory_fetches_total\{result="refused"\} (\d+)', metrics)
        self.assertGreater(int(found[1]), 0)

    def inject(self, count):
        done = subprocess.run([INJECTOR, str(self.net["gateway2"].folder / "identity.key"), str(self.sent_document),
                               self.net["mix1"].name, str(self.folder / f"packet-{self.sent_document.name}"), str(count)],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def drops(self, reason):
        return self.net.mix("mix1")["drops"].get(reason, 0)

    # --- tests, in this order: the later ones use the time that the first ones took
    def test_0_a_node_that_has_its_authority_as_a_peer_asks_by_htx(self):
        # The others count it as a node of the directory (until_valid), so it has published that way, too.
        nodes.until(lambda: self.net.mix("mix4")["directory_valid"], 60, "a directory by HTX")
        metrics = self.net["mix4"].metrics()
        for counted in (r'fetches_total\{result="accepted"\}', r'publications_total\{result="accepted"\}'):
            found = re.search(r"villaged_mix_directory_" + counted + r" (\d+)", metrics)
            self.assertGreater(int(found[1]), 0, counted)

    def test_1_a_replay_from_before_kill_9_is_refused(self):
        self.assertEqual(self.net["gateway2"].stop(), 0)  # the injector has its name now
        refused = lambda: self.drops("replay") + self.drops("route")  # `route`: the epoch is over
        for _ in range(5):
            nodes.until(lambda: self.net.mix("mix1")["epoch_left_s"] > 8, 60)
            self.sent_document = self.document("mix1", self.net.mix("mix1")["epoch"])
            before, replays = refused(), self.drops("replay")
            self.inject(1)
            self.inject(3)
            nodes.until(lambda: refused() >= before + 3)
            fresh = self.drops("replay") == replays + 3
            self.net["mix1"].kill()
            self.net["mix1"].start()
            nodes.until(lambda: self.net.mix("mix1")["directory_valid"], 60)
            self.assertEqual(self.drops("replay"), 0)
            self.inject(2)
            nodes.until(lambda: refused() >= 2)
            if fresh and self.drops("replay") == 2:
                nodes.until(lambda: re.search(r'dropped_packets_total\{reason="replay"\} 2', self.net["mix1"].metrics()))
                return  # else the epoch ended meanwhile, on a machine that has much to do
        self.fail("no epoch was long enough")

    def test_2_a_forged_directory_is_refused(self):
        def forge(path, answer):
            if epoch_of(path) and answer[0] == 200:
                answer[2] = re.sub(rb'"capacity_pps":\d+', b'"capacity_pps":77', answer[2], count=1)

        self.relay.tamper = forge
        self.net.start("victim")
        self.refused(["good signatures"])
        self.assertFalse(self.net.mix("victim")["directory_valid"])
        self.assertIn("directory problem=", self.net["victim"].log())

    def test_3_an_older_directory_is_refused(self):
        def older(path, answer):
            epoch = epoch_of(path)
            old = self.document("mix2", epoch - 1) if epoch else None
            if old is not None:
                answer[0], answer[2] = (200, old.read_bytes()) if old.exists() else (404, b"")

        self.relay.tamper = older
        self.refused(["another epoch"])
        self.assertFalse(self.net.mix("victim")["directory_valid"])

    def test_4_a_clock_that_is_wrong_is_told_at_start(self):
        def late(_, answer):
            for name in answer[1]:
                if name.lower() == "villaged-time-ms":
                    answer[1][name] = str(int(answer[1][name]) + 60_000)

        self.relay.tamper = late
        self.assertEqual(self.net["victim"].stop(), 0)
        self.net["victim"].start()
        nodes.until(lambda: "clock" in self.net.mix("victim")["problem"], 60, "a problem with the clock")
        nodes.until(lambda: re.search(r"clock wrong by_ms=-(59|60|61)\d{3}", self.net["victim"].log()), what="a line in the log")
        nodes.until(lambda: self.net.mix("victim")["directory_valid"], 60, "a directory")

    def test_5_an_authority_that_contradicts_itself_is_refused(self):
        for _ in range(5):
            self.relay.tamper = None
            nodes.until(lambda: self.net.mix("victim")["epoch_left_s"] > 6, 60)
            nodes.until(lambda: self.net.mix("victim")["directory_valid"], 60, "a directory")
            epoch = self.net.mix("victim")["epoch"]
            self.assertEqual(self.net["victim"].stop(), 0)

            def contradict(path, answer, epoch=epoch):
                if epoch_of(path) == epoch and answer[0] == 200:
                    answer[2] = self.resigned(answer[2], lambda document: document.update(delay_mean_ns=5_000_000))

            self.relay.tamper = contradict
            self.document("victim", epoch).unlink()  # what it has seen stays: seen.json
            self.net["victim"].start()
            told = lambda: "contradicts another one" in self.net.mix("victim")["problem"]
            nodes.until(lambda epoch=epoch: told() or self.net.mix("victim")["epoch"] != epoch, 60)
            if told():
                self.assertFalse(self.net.mix("victim")["directory_valid"])
                self.refused(["contradicts another one"])
                return  # else the epoch ended meanwhile
        self.fail("no epoch was long enough")

    def test_6_a_directory_led_back_is_refused(self):
        self.relay.tamper = None
        nodes.until(lambda: self.net.mix("victim")["directory_valid"], 60, "a directory")

        def lead_back(document):
            for node in document["nodes"]:
                node["sequence"] = 1

        def older_nodes(path, answer):
            if epoch_of(path) and answer[0] == 200:
                answer[2] = self.resigned(answer[2], lead_back)

        self.relay.tamper = older_nodes
        self.refused(["older than what this node has seen"])

    def test_7_delays_are_proven_and_a_lie_is_found(self):
        gateway = self.net["gateway1"]
        audit = lambda *more: self.audit(gateway, *more)
        judged = nodes.until(lambda: (lambda report: report if report["judged"] >= 20 else None)(audit()[1]), 240, "proofs")
        self.assertEqual(judged["early"], 0)
        self.assertFalse([row for row in judged["proofs"] if row["suspect"] or row["proof"] == "bad"])
        # Nobody told the auditor; by the policy of the others mix4 would have come too early.
        policies = {(row["node"] == self.net["mix4"].name, row["policy"]) for row in judged["proofs"]}
        self.assertEqual(policies, {(True, "header"), (False, "vrf")})
        # A node that lets packets go at once: those loops come home sooner than its proof allows.
        proven = {(row["epoch"], row["node"]) for row in judged["proofs"] if row["proof"] == "good"}
        loops = [json.loads(line) for line in (gateway.folder / "state/mix/observations.jsonl").read_text().splitlines()]
        loops = [loop for loop in loops if all((loop["epoch"], hop["node"]) in proven for hop in loop["hops"])]
        passes = lambda loop, liar: loop["epoch"] == liar[0] and any(hop["node"] == liar[1] for hop in loop["hops"])
        liars = {(loop["epoch"], hop["node"]) for loop in loops for hop in loop["hops"]}
        alone = [liar for liar in sorted(liars) if 0 < sum(passes(loop, liar) for loop in loops) <
                 sum(loop["epoch"] == liar[0] for loop in loops)]
        self.assertTrue(alone, "no layer with two mixes was seen")
        for loop in loops:
            if passes(loop, alone[0]):
                loop["total_ns"] = 0
        lies = self.folder / "lies.jsonl"
        lies.write_text("".join(json.dumps(loop) + "\n" for loop in loops))
        status, report = audit("--observations", str(lies))
        self.assertEqual(status, 1)
        suspects = [(row["epoch"], row["node"]) for row in report["proofs"] if row["suspect"]]
        self.assertEqual(suspects, [alone[0]])

    def audit(self, gateway, *more):
        done = gateway.verb("mix", "audit", "--json", "--tolerance", "20s", "--config", str(gateway.config_path), *more,
                            check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, json.loads(done.stdout)

    def test_8_the_end_lets_held_packets_leave_or_counts_them(self):
        nodes.until(lambda: self.net.mix("mix2")["held"] > 0, 60, "packets held")
        self.assertEqual(self.net["mix2"].stop(), 0)
        found = re.findall(r"held packets at the end core=\d+ held=(\d+) left=(\d+) abandoned=(\d+)", self.net["mix2"].log())
        self.assertTrue(found, self.net["mix2"].log()[-2000:])
        for held, left, abandoned in found:
            self.assertEqual(int(held), int(left) + int(abandoned))

    def test_9_without_a_valid_directory_nothing_is_forwarded(self):
        self.assertEqual(self.net["authority"].stop(), 0)
        nodes.until(lambda: not self.net.mix("mix3")["directory_valid"], 90, "the end of the last directory")
        state = self.net.mix("mix3")
        self.assertIn("cannot be reached", state["problem"])
        self.assertEqual(self.net["mix3"].metric("villaged_mix_directory_valid"), 0)
        nodes.until(lambda: self.net.mix("mix3")["held"] == 0, 60, "an empty node")
        forwarded = self.net.mix("mix3")["forwarded"]
        loops = self.net.mix("mix3")["loops_sent"]
        nodes.until(lambda: not self.net.mix("mix4")["directory_valid"], 90)
        self.assertEqual(self.net.mix("mix3")["forwarded"], forwarded)
        self.assertEqual(self.net.mix("mix3")["loops_sent"], loops)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
