#!/usr/bin/env python3
"""Writes plain_payload.json: the layout of plain payloads from its description (docs/protocols/mix.md, section 4),
written without the C++ code. Byte strings come from SHA-256 in counter mode over a label: nothing is random."""
import hashlib
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
CAPACITIES = {"N-2048": 1683, "N-REG": 2048}
TYPES = {"data": 1, "acknowledgement": 2, "loop": 3, "drop": 4, "reply": 5}


def stream(label, size):
    out = b""
    counter = 0
    while len(out) < size:
        out += hashlib.sha256(f"{label}/{counter}".encode()).digest()
        counter += 1
    return out[:size]


def encode(kind, message_id, index, count, surbs, data, capacity):
    out = struct.pack(">B16sHHB", kind, message_id, index, count, len(surbs))
    for epoch, form, body in surbs:
        out += struct.pack(">QBH", epoch, form, len(body)) + body
    out += struct.pack(">H", len(data)) + data
    assert len(out) <= capacity, (len(out), capacity)
    return out + bytes(capacity - len(out))


def valid_cases():
    def surb(n, form=1, size=396, epoch=1_455_000):
        return (epoch + n, form, stream(f"surb {n}", size))

    for profile, capacity in CAPACITIES.items():
        full = capacity - 24
        yield "one byte, no reply block", capacity, "data", 0, 1, [], 1
        yield "as much as fits", capacity, "data", 0, 1, [], full
        yield "a middle fragment with its acknowledgement block", capacity, "data", 3, 838, [surb(0)], full - 407
        yield "the last fragment", capacity, "data", 837, 838, [surb(1)], 17
        yield "four blocks", capacity, "data", 0, 1, [surb(n) for n in range(4)], 31
        yield "all keys: 3 hops, seeds", capacity, "data", 0, 1, [surb(2, 2, 428)], 5
        yield "all keys: 3 hops, keys", capacity, "data", 0, 1, [surb(3, 2, 956)], 5
        yield "both forms", capacity, "data", 1, 2, [surb(4), surb(5, 2, 412)], 100
        yield "last epoch of all", capacity, "data", 0, 1, [surb(0, epoch=2**64 - 1)], 1
        yield "acknowledgement", capacity, "acknowledgement", 12, 838, [], 0
        yield "acknowledgement of the last fragment", capacity, "acknowledgement", 837, 838, [], 16
        yield "acknowledgement of the only fragment", capacity, "acknowledgement", 0, 1, [], 16
        yield "loop", capacity, "loop", 0, 1, [], 0
        yield "drop", capacity, "drop", 0, 1, [], 0
        yield "reply", capacity, "reply", 0, 2, [surb(6)], full - 407
        yield "reply without acknowledgement block", capacity, "reply", 1, 2, [], 9
        yield "2,048 fragments", capacity, "data", 2047, 2048, [], 3


def invalid_cases():
    capacity = 1683
    mid = stream("id", 16)
    surb = (7, 1, stream("surb", 396))
    good = encode(1, mid, 0, 1, [surb], b"abc", capacity)

    def patched(at, value, base=good):
        return base[:at] + bytes(value) + base[at + len(value):]

    yield "type 0", patched(0, [0])
    yield "type 6", patched(0, [6])
    yield "index = count", patched(17, [0, 1])
    yield "count 0", patched(19, [0, 0])
    yield "2,049 fragments", patched(19, [8, 1])
    yield "form 0", patched(22 + 8, [0])
    yield "form 3", patched(22 + 8, [3])
    yield "own form with another length", encode(1, mid, 0, 1, [(7, 1, bytes(428))], b"abc", capacity)
    yield "all keys too short", encode(1, mid, 0, 1, [(7, 2, bytes(395))], b"abc", capacity)
    yield "all keys too long", encode(1, mid, 0, 1, [(7, 2, bytes(1341))], b"abc", capacity)
    yield "more blocks said than there are", patched(21, [5])
    yield "nine blocks", patched(21, [9])
    yield "no data", encode(1, mid, 0, 1, [surb], b"", capacity)
    yield "reply without data", encode(5, mid, 0, 1, [], b"", capacity)
    yield "data longer than the payload", patched(22 + 407, [0xff, 0xff])
    yield "tail not zero", patched(capacity - 1, [1])
    yield "acknowledgement with data", encode(2, mid, 0, 1, [], b"x", capacity)
    yield "acknowledgement of the last fragment without a proof", encode(2, mid, 4, 5, [], b"", capacity)
    yield "acknowledgement of another fragment with a proof", encode(2, mid, 3, 5, [], bytes(16), capacity)
    yield "acknowledgement with a longer proof", encode(2, mid, 4, 5, [], bytes(17), capacity)
    yield "acknowledgement with a reply block", encode(2, mid, 0, 1, [surb], bytes(16), capacity)
    yield "loop of two", encode(3, mid, 0, 2, [], b"", capacity)
    yield "drop with data", encode(4, mid, 0, 1, [], b"x", capacity)
    yield "loop with a reply block", encode(3, mid, 0, 1, [surb], b"", capacity)
    yield "one byte short", good[:-1]
    yield "one byte more", good + b"\0"
    yield "empty", b""


def main():
    valid = []
    for number, (name, capacity, kind, index, count, surbs, size) in enumerate(valid_cases()):
        message_id = stream(f"message {number}", 16)
        data = stream(f"data {number}", size)
        payload = encode(TYPES[kind], message_id, index, count, surbs, data, capacity)
        valid.append({
            "name": name, "capacity": capacity, "type": kind, "message_id": message_id.hex(), "index": index,
            "count": count,
            "surbs": [{"epoch": str(e), "form": f, "bytes": b.hex()} for e, f, b in surbs],
            "data": data.hex(), "payload": payload.hex()})
    invalid = [{"name": name, "capacity": 1683, "payload": payload.hex()} for name, payload in invalid_cases()]
    text = json.dumps({"format": "plain payload of mix packets", "valid": valid, "invalid": invalid}, indent=1)
    (HERE / "plain_payload.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
