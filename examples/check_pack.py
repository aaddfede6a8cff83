#!/usr/bin/env python3
"""Reads the pack of an incident with nothing of Duly's: written from docs/evidence-format.md alone.

    pip install cryptography
    ./check_pack.py PACK.zip log.vkey [OLDER.zip]

The key is a vkey or a file with one. It checks the signature, that the leaves make the signed root and all tiles, the spelling of each event and its place in its
person's chain, that the lists are the frozen ones, and, with a pack from before, that this log goes on from it. It is an
example: the other rules, and changes of the log's key, are duly-verify's. Ends with 1 where anything does not hold.
"""
import base64
import hashlib
import json
import os
import sys
import zipfile
from collections import Counter

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def holds(condition, what):
    if not condition:
        raise ValueError(what)


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def root_of(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(hashes[:half]) + root_of(hashes[half:])).digest()


def tile_path(kind, number, width):
    digits = [f"{number % 1000:03}"]
    while number := number // 1000:
        digits.insert(0, f"x{number % 1000:03}")
    return f"tile/{kind}/{'/'.join(digits)}" + (f".p/{width}" if width < 256 else "")


def tiles_of(kind, count):
    for first in range(0, count, 256):
        yield tile_path(kind, first // 256, min(count - first, 256)), first, min(first + 256, count)


def read_checkpoint(note, vkey):
    holds(vkey.count("+") >= 2, f"{vkey} is no vkey, and no file with one")
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key, validate=True)
    holds(hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id, "the vkey's id is not its key's")
    text, _, lines = note.rpartition("\n\n")
    origin, size, root = text.split("\n")
    holds(origin == name and key[0] == 1, f"the checkpoint is {origin}'s, or the key no Ed25519 key")
    signed = [base64.b64decode(line.split(" ")[2]) for line in lines.splitlines() if line.split(" ")[1] == name]
    mine = [signature[4:] for signature in signed if signature[:4].hex() == key_id]
    holds(mine, "the checkpoint is not signed by this key")
    for signature in mine:
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, (text + "\n").encode())
    return int(size), base64.b64decode(root, validate=True)


def read_leaves(pack, size):
    leaves, tiles = [], {name: pack.read(name) for name in pack.namelist() if name.startswith("tile/")}
    for path, _, end in tiles_of("entries", size):
        data = tiles.pop(path)
        while data:
            end_of = 2 + int.from_bytes(data[:2], "big")
            holds(len(data) >= end_of, f"{path} is cut off")
            leaves.append(data[2:end_of])
            data = data[end_of:]
        holds(len(leaves) == end, f"{path} holds another number of entries")
    row = hashes = [leaf_hash(leaf) for leaf in leaves]
    level = 0
    while row:
        for path, first, end in tiles_of(level, len(row)):
            holds(tiles.pop(path) == b"".join(row[first:end]), f"{path} is not made of the leaves")
        row, level = [root_of(row[i : i + 256]) for i in range(0, len(row) - 255, 256)], level + 1
    holds(not tiles, f"the size does not ask for {list(tiles)}")
    return leaves, hashes


def read_story(pack, leaves):
    chain, notices, people = {}, {}, set()
    for index, leaf in enumerate(leaves):
        event = json.loads(leaf)
        holds(json.dumps(event, sort_keys=True, separators=(",", ":")).encode() == leaf, f"leaf {index} is not in its one spelling")
        if person := event.get("p"):
            n, prev = chain.get(person, (0, None))
            holds((event["n"], event["prev"]) == (n + 1, prev), f"leaf {index} is not the next of its person")
            chain[person] = (event["n"], leaf_hash(leaf).hex())
            if "notice" in event["d"]:
                notices.setdefault(person, {})[event["d"]["phase"]] = event["d"]["notice"]
        if event["k"] == "list.frozen":
            number = event["d"]["list"]
            lines = pack.read("manifest.jsonl" if number == 1 else f"manifest.{number}.jsonl").split(b"\n")[:-1]
            root = root_of([leaf_hash(line) for line in lines]).hex()
            holds((len(lines), root) == (event["d"]["count"], event["d"]["root"]), f"list {number} is another")
            people |= {json.loads(line)["p"] for line in lines}
    return Counter(max(notices.get(person, {0: "open"}).items())[1] for person in people)


def main(path, vkey, older=None):
    if os.path.isfile(vkey):
        with open(vkey) as file:
            vkey = file.read().strip()
    pack = zipfile.ZipFile(path)
    size, root = read_checkpoint(pack.read("checkpoint").decode(), vkey)
    leaves, hashes = read_leaves(pack, size)
    holds(root_of(hashes) == root, "the leaves are not those of the signed root")
    if older:
        before, old_root = read_checkpoint(zipfile.ZipFile(older).read("checkpoint").decode(), vkey)
        holds(before <= size and root_of(hashes[:before]) == old_root, "this log does not go on from the older pack")
    told = read_story(pack, leaves)
    print(f"good: {size} leaves, {sum(told.values())} people, {dict(sorted(told.items()))}")


try:
    main(*sys.argv[1:])
except (InvalidSignature, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
    sys.exit(f"bad: {error or 'the signature does not hold'}")
