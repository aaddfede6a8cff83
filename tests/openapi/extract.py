#!/usr/bin/env python3
"""Makes the extracts beside it from the vendors' own OpenAPI documents: extract.py TWILIO.json LOB.yml

Kept: the requests that Duly makes, with all that their schemas refer to. Left out: descriptions, examples, and the answers,
which a validator of requests does not need.
"""
import json
import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).parent
LEFT_OUT = {"example", "examples", "externalDocs", "tags"}
ACCOUNT = "/2010-04-01/Accounts/{AccountSid}"
TWILIO = {
    f"{ACCOUNT}/Messages.json": ["get", "post"],
    f"{ACCOUNT}/Messages/{{Sid}}.json": ["get", "post"],
}
LOB = {"/letters": ["get", "post"], "/letters/{ltr_id}": ["get", "delete"]}


def strip(node, is_names=False):
    if isinstance(node, list):
        return [strip(item) for item in node]
    if not isinstance(node, dict):
        return node

    def is_kept(key, value):
        prose = key == "description" and isinstance(value, str)
        return is_names or not (key in LEFT_OUT or key.startswith("x-") or prose)

    return {key: strip(value, key == "properties" and not is_names) for key, value in node.items() if is_kept(key, value)}


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def words(reference):
    return [word.replace("~1", "/").replace("~0", "~") for word in reference[2:].split("/")]


def extract(document, paths, title):
    made = {"openapi": document["openapi"], "info": {"title": title, "version": document["info"]["version"]}, "paths": {}}
    made.update({key: strip(document[key]) for key in ("security", "servers") if key in document})
    made["components"] = {"securitySchemes": strip(document["components"]["securitySchemes"])}
    for path, methods in paths.items():
        item = {key: strip(value) for key, value in document["paths"][path].items() if key in (*methods, "parameters", "servers")}
        for method in methods:
            good = next(code for code in item[method]["responses"] if code.startswith("2"))
            content = {"application/json": {"schema": {"type": "object"}}}
            item[method]["responses"] = {good: {"description": "", "content": content}}
        made["paths"][path] = item
    known = set()
    while missing := set(references(made)) - known:
        for reference in missing:
            known.add(reference)
            source, target = document, made
            for word in words(reference):
                source = source[word]
            for word in words(reference)[:-1]:
                target = target.setdefault(word, {})
            target[words(reference)[-1]] = strip(source)
    return json.dumps(made, indent=1, sort_keys=True) + "\n"


twilio, lob = json.loads(pathlib.Path(sys.argv[1]).read_text()), yaml.safe_load(pathlib.Path(sys.argv[2]).read_text())
(HERE / "twilio-messages.json").write_text(extract(twilio, TWILIO, "Messages of the Twilio API, an extract"))
(HERE / "lob-letters.json").write_text(extract(lob, LOB, "Letters of the Lob API, an extract"))
