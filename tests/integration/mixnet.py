"""A small mixnet of real daemons on loopback, made by the verbs that docs/mix.md tells of."""
import http.client
import http.server
import json
import re
import threading

import nodes


class Mixnet:
    """One authority, mixes, gateways and a client of the first gateway. `change(name, config)` edits configurations."""

    def __init__(self, program, folder, epoch="12s", mixes=3, gateways=1, change=None):
        self.program, self.folder, self.members = program, folder, {}
        made = self.init("authority", "authority", "--listen", f"127.0.0.1:{nodes.free_port()}", "--epoch", epoch, "--open")
        self.options = made["mixnet"].split()
        self.authority_line = made["authority"]
        for i in range(mixes):
            self.init(f"mix{i + 1}", "mix", "--listen", f"127.0.0.1:{nodes.free_port()}", *self.options)
        lines = [self.init(f"gateway{i + 1}", "gateway", "--listen", f"127.0.0.1:{nodes.free_port()}",
                           *self.options)["gateway"] for i in range(gateways)]
        self.gateway_line = lines[0]
        self.join("client")
        if change:
            for name, node in self.members.items():
                node.edit(lambda config, name=name: change(name, config))

    def init(self, name, role, *more):
        node = nodes.Node(self.program, self.folder / name)
        self.members[name] = node
        made = json.loads(node.verb("init", "--dir", str(node.folder), "--name", name, "--role", role, "--control", "none",
                                    "--json", *more).stdout)

        def short_drain(config):
            config["control"]["drain_timeout"] = "3s"

        node.edit(short_drain)
        node.key, node.name = made["key"], made["node"]
        return made

    def join(self, name, options=None):
        """Makes a client of the first gateway and lets it in there."""
        made = self.init(name, "client", "--gateway", self.gateway_line, *(options or self.options))
        words = made["admit"].split()
        gateway = self.members["gateway1"]
        gateway.verb(*words[1:], "--config", str(gateway.config_path))

    def __getitem__(self, name):
        return self.members[name]

    def start(self, *names):
        for name in names or self.members:
            self.members[name].start(wait=False)
        for name in names or self.members:
            node = self.members[name]
            assert node.manager.wait_for("READY=1", node.process), node.log()
        return self

    def close(self):
        problems = []
        for node in self.members.values():
            try:
                node.close()
            except AssertionError as problem:
                problems.append(str(problem))
        assert not problems, "\n".join(problems)

    def mix(self, name):
        return self.members[name].status()["mix"]

    def until_valid(self, *names, seconds=90):
        """Waits until these nodes have a directory of all mixes and gateways."""
        count = sum(1 for name in self.members if name.startswith(("mix", "gateway")))

        def ready():
            states = [self.mix(name) for name in names]
            return all(state["directory_valid"] and state["nodes"] == count for state in states)

        nodes.until(ready, seconds, f"directory at {names}")


class Relay:
    """Stands between a node and its authority. `tamper(path, status, headers, body)` changes answers."""

    def __init__(self, authority):
        relay, target = self, authority

        class Handler(http.server.BaseHTTPRequestHandler):
            def relayed(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                connection = http.client.HTTPConnection(*target, timeout=10)
                try:
                    connection.request(self.command, self.path, body or None)
                    reply = connection.getresponse()
                    answer = [reply.status, dict(reply.getheaders()), reply.read()]
                except OSError:
                    answer = [503, {}, b""]
                finally:
                    connection.close()
                if relay.tamper:
                    relay.tamper(self.path, answer)
                status, headers, data = answer
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() == "villaged-time-ms":
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = relayed

            def log_message(self, *_):
                pass

        self.tamper = None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def epoch_of(path):
    found = re.fullmatch(r"/mixdir/v1/document/(\d+)", path)
    return int(found[1]) if found else None
