#!/usr/bin/env python3
"""Writes the hand-made part of the corpora of fuzz_msgpack, fuzz_frame and fuzz_session.

Run it from the repository's root after changing the protocol; inputs that fuzzing has found stay as they are.
"""
import pathlib
import struct

CORPUS = pathlib.Path("tests/fuzz/corpus")


def pack(value):
    """Msgpack of None, booleans, integers, text, bytes, lists and maps, in the shortest form."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if 0 <= value < 128:
            return struct.pack("B", value)
        return struct.pack(">Bq", 0xD3, value)
    if isinstance(value, str):
        data = value.encode()
        return (bytes([0xA0 | len(data)]) if len(data) < 32 else struct.pack(">BH", 0xDA, len(data))) + data
    if isinstance(value, bytes):
        return struct.pack(">BH", 0xC5, len(value)) + value
    if isinstance(value, list):
        return struct.pack(">BH", 0xDC, len(value)) + b"".join(map(pack, value))
    return bytes([0x80 | len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())


OPTIONS = {"migrationsTable": "__drizzle_migrations", "format": "auto", "lockTimeoutMs": 4000, "strict": True}
MESSAGES = {
    1: ("hello", {"proto_min": 1, "proto_max": 1, "worker": "ab12", "incarnation": 3, "name": "host/1",
                  "version": "0.1.0", "slots": 10, "tenant_hooks": True, "outbox": 2,
                  "databases": [{"name": "main", "max_connections": 20}, {"name": "zwei"}]}),
    2: ("welcome", {"proto": 1, "coordinator": "host/2", "run": "00ff", "heartbeat_ms": 2000,
                    "suspect_ms": 6000, "dead_ms": 15000}),
    3: ("reject", {"code": "version", "message": "no common version"}),
    4: ("heartbeat", {"in_flight": 7, "aborting": True, "cancelling": False}),
    5: ("bundle_req", {"digest": "d" * 64}),
    6: ("bundle", {"digest": "d" * 64, "migrations": [
        {"name": "0001_init", "hash": "e" * 64, "when": 1700000000000, "sql": b"create table t ();\n\0"}]}),
    7: ("job", {"job": 1, "phase": 4, "operation": "migrate", "database": "main", "grant": 5, "bundle": "d" * 64,
                "options": [OPTIONS], "tenants": [
                    {"index": 0, "attempt": 1, "id": "acme", "schema": "tenant_acme"},
                    {"index": 1, "attempt": 2, "id": "\u00e9\u20ac", "schema": "t", "recovering": True}]}),
    8: ("start", {"phase": 4, "leases": [{"index": 0, "attempt": 1}, {}]}),
    9: ("event", {"phase": 4, "index": 1, "migration": "0001_init", "duration_ms": 12}),
    10: ("result", {"phase": 4, "items": [{"index": 0, "attempt": 1, "outcome": "applied", "body": b"\x80"}]}),
    11: ("ack", {}),
    12: ("abort", {"cancel": True}),
    13: ("drain", {}),
    14: ("who", {}),
    15: ("bye", {}),
    16: ("error", {"code": "protocol", "message": "frame 7 has no number"}),
}
RELIABLE = (5, 6, 7, 8, 10, 12, 13)

MSGPACK = {
    "empty": b"",
    "nil": b"\xc0",
    "nested_16": b"\x91" * 15 + b"\x90",
    "nested_17": b"\x91" * 17 + b"\xc0",
    "nested_maps": b"\x81\xa1a" * 16 + b"\x80",
    "array32_lies": b"\xdd\x0f\xff\xff\xff",
    "map32_lies": b"\xdf\xff\xff\xff\xff",
    "map_half": b"\x82\xa1a\x01",
    "chain_of_lies": b"\xdd\x01\x00\x00\x00" * 12,
    "str32_lies": b"\xdb\xff\xff\xff\xffabc",
    "bin16_lies": b"\xc5\xff\xffabc",
    "trailing": b"\x01\x02",
    "duplicate_keys": b"\x82\xa1a\x01\xa1a\x02",
    "reserved": b"\xc1",
    "ext8": b"\xc7\x00\x01",
    "fixext16": b"\xd8\x01" + b"x" * 16,
    "floats": b"\x92\xca\x3f\x80\x00\x00\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
    "integers": b"\x9a\x7f\xe0\xcc\xff\xcd\xff\xff\xce\xff\xff\xff\xff\xcf\x7f" + b"\xff" * 7
                + b"\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00\xd3\x80" + b"\x00" * 7,
    "above_int64": b"\xcf\x80" + b"\x00" * 7,
    "nul_in_text": b"\xa3a\x00b",
    "overlong": b"\xa2\xc0\xaf",
    "surrogate": b"\xa3\xed\xa0\x80",
    "utf8": pack("a\u00e9\u20ac\U0001f418"),
    "all_formats": b"\x99\xc0\xc2\xc3\xc4\x01x\xc5\x00\x01x\xc6\x00\x00\x00\x01x\xd9\x01x\xda\x00\x01x"
                   b"\xdb\x00\x00\x00\x01x",
    "message": pack(MESSAGES[7][1]),
}


def frame(kind, body, flags=0, seq=0, major=1, magic=b"PGCV"):
    return magic + bytes([major, 0, kind, flags]) + bytes(range(16)) + struct.pack(">QQQ", seq, 0, 256) + body


def step(kind, body, seq=0, ack=0, flags=0):
    return struct.pack(">BBBBH", flags, kind, seq, ack, len(body)) + body


def frames():
    for kind, (name, message) in MESSAGES.items():
        body = pack(message)
        reliable = kind in RELIABLE
        yield name, frame(kind, body, int(reliable), int(reliable))
        yield f"{name}_truncated", frame(kind, body[:-1], int(reliable), int(reliable))
    for name in ("array32_lies", "map32_lies", "nested_17", "duplicate_keys", "trailing"):
        yield f"hello_{name}", frame(1, MSGPACK[name])
    yield "hello_key_twice", frame(1, b"\x82\xa5slots\x01\xa5slots\x02")
    yield "hello_trailing", frame(1, pack(MESSAGES[1][1]) + b"\xc0")
    yield "hello_oversize_list", frame(1, b"\x81\xa9databases\xdd\x7f\xff\xff\xff\x80")
    yield "hello_unknown_keys", frame(1, pack({"later": {"a": [1, None]}, "slots": 4}))
    yield "job_wide_list", frame(7, b"\x81\xa7options\xdc\x02\x00" + b"\x80" * 512)
    yield "unknown_type", frame(200, b"\x80", 1)
    yield "short_header", frame(1, b"")[:47]
    yield "other_magic", frame(1, b"\x80", magic=b"HTTP")
    yield "other_major", frame(1, b"\x80", major=2)


def sessions():
    start = pack(MESSAGES[8][1])
    result = pack(MESSAGES[10][1])
    third = len(result) // 3
    yield "every_type", b"".join(step(kind, pack(message), 0) for kind, (_, message) in MESSAGES.items()
                                 if kind not in RELIABLE) + b"".join(
        step(kind, pack(MESSAGES[kind][1]), seq + 1, 0, 1) for seq, kind in enumerate(RELIABLE))
    yield "duplicate_and_gap", step(8, start, 1) + step(8, start, 1) + step(8, start, 3) + step(8, start, 2)
    yield "parts", step(10, result[:third], 1, 0, 2) + step(10, result[third:2 * third], 2, 0, 2) + step(
        10, result[2 * third:], 3, 0, 6)
    yield "parts_interrupted", step(10, result[:third], 1, 0, 2) + step(8, start, 2)
    yield "parts_of_two", step(10, result[:third], 1, 0, 2) + step(7, result[third:], 2, 0, 6)
    yield "part_empty", step(10, b"", 1, 0, 2)
    yield "part_last_only", step(10, result, 1, 0, 4)
    yield "part_unreliable", step(9, b"\x80", 0, 0, 2)
    yield "ack_of_the_unsent", step(11, b"\x80", 0, 1)
    yield "ack", step(11, b"\x80", 0, 0, 0x90) + step(11, b"\x80", 0, 1, 0)
    yield "resend", b"".join(step(11, b"\x80", 0, 0, 0xB0) for _ in range(8)) + step(11, b"\x80", 0, 1, 0x80)
    yield "refused", b"".join(step(11, b"\x80", 0, 0, 0xF0) for _ in range(8)) + step(11, b"\x80", 0, 0, 0x80)
    yield "unknown_ignored", step(200, b"?", 1) + step(8, start, 2)
    yield "unknown_breaks", step(200, b"?", 1, 0, 1)
    yield "unknown_in_parts", step(200, b"?", 1, 0, 2) + step(200, b"?", 2, 0, 6) + step(8, start, 3)
    yield "number_missing", step(8, start, 0)
    yield "number_too_much", step(9, b"\x80", 1)
    yield "bad_body", step(8, b"\x90", 1)
    yield "greeting_inside", step(1, b"\x80") + step(14, b"\x80")
    yield "truncated_step", step(8, start, 1)[:-3]


def write(target, inputs):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in inputs:
        (folder / name).write_bytes(data)


write("fuzz_msgpack", MSGPACK.items())
write("fuzz_frame", frames())
write("fuzz_session", sessions())
