#!/usr/bin/env python3
"""Fails on an #include that the layers forbid.

Each module's layer and edges come from village_module() by way of build/<preset>/layers.txt. A module includes itself,
the modules it declares, and nothing else of the house; a declared edge must not point up. Packages are fenced too:
Asio, sockets and files belong to layer 5 and above, OpenSSL and libsodium to src/crypto and src/net/tls_*.cpp.
"""
import argparse
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
LOW_LAYER_BANNED = re.compile(
    r"^(boost/asio|boost/beast|spdlog/|prometheus/|sys/(socket|epoll|mman|stat|un)|netinet/|fcntl\.h|unistd\.h|fstream|"
    r"thread|mutex|filesystem)")
LOW_LAYER_EXCUSED = {("base", "mutex")}  # the metric registry
CRYPTO_PACKAGES = re.compile(r"^(openssl/|sodium)")
JSON_MODULES = {"wire", "mix", "agent", "service", "control", "daemon"}


def read_layers(path):
    layers, edges = {}, {}
    for line in pathlib.Path(path).read_text().splitlines():
        name, layer, *depends = line.split()
        layers[name], edges[name] = int(layer), set(depends)
    return layers, edges


def crypto_allowed(module, file, public):
    if public:
        return False
    return module == "crypto" or (module == "net" and file.name.startswith("tls_"))


def problems(source, layers, edges):
    for module, depends in edges.items():
        for other in depends:
            if other not in layers:
                yield f"module {module} depends on unknown module {other}"
            elif layers[other] > layers[module]:
                yield f"edge {module} -> {other} points up"
    for root, public in ((source / "include" / "village", True), (source / "src", False)):
        for file in sorted(root.rglob("*")):
            if file.suffix not in (".hpp", ".cpp"):
                continue
            module = file.relative_to(root).parts[0]
            if module not in layers:
                yield f"{file}: folder {module} is not a module"
                continue
            for included in INCLUDE.findall(file.read_text()):
                where = f"{file.relative_to(source)}: #include <{included}>"
                if included.startswith("village/"):
                    other = included.split("/")[1]
                    if other != module and other not in edges[module]:
                        yield f"{where}: edge {module} -> {other} is not declared"
                elif "/" in included and included.split("/")[0] in layers and included.split("/")[0] != module:
                    yield f"{where}: private header of another module"
                if CRYPTO_PACKAGES.match(included) and not crypto_allowed(module, file, public):
                    yield f"{where}: only src/crypto/*.cpp and src/net/tls_*.cpp use it"
                if layers[module] <= 4 and LOW_LAYER_BANNED.match(included) and (module, included) not in LOW_LAYER_EXCUSED:
                    yield f"{where}: not in layers 0-4"
                if included.startswith("nlohmann/") and module not in JSON_MODULES:
                    yield f"{where}: JSON belongs to {', '.join(sorted(JSON_MODULES))}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--layers", required=True)
    args = parser.parse_args()
    layers, edges = read_layers(args.layers)
    found = list(problems(args.source, layers, edges))
    for problem in found:
        print(problem)
    print(f"layering: {len(layers)} modules, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
