"""Damage at random: a value of a document replaced by a hostile one, bytes changed, cut out or doubled."""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

ELEMENT = "mtl-alive"  # no page has one of its own
MARKUP = f'"><{ELEMENT} onclick="x()">|`[x](javascript:x)</script>\n# $(id)'
ATTRIBUTE = f'" {ELEMENT}="1'
HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**53, 10**30, 1e308, -1e308, 5e-324, 1e18, 1e-18, 0.5),
    *("", "\x1b[2J\u202e", "\ud800", "x" * 300, "../../x\0", "=1+1", MARKUP, ATTRIBUTE),
    *([], {}, [[]] * 9, [1], {"x": 1}, {"confidence": None, "low": None, "high": None, "value": 1, "n": 0}),
)
Damage = Callable[[bytes, random.Random], bytes]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def _alike(value: Any) -> tuple[Any, ...]:
    """The hostile values of this one's type: what a check of types lets through."""
    kinds = (int, float) if isinstance(value, (int, float)) else (type(value),)
    return tuple(each for each in HOSTILE if isinstance(each, kinds))


def damaged_document(document: Any, rng: random.Random) -> Any:
    """One value, or a few, replaced, taken away, doubled or taken from elsewhere in the document."""
    made = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        there = places(made)
        if not there:
            return made
        where, key = rng.choice(there)
        change = rng.random()
        if change < 0.65:
            where[key] = copy.deepcopy(rng.choice(_alike(where[key]) if rng.random() < 0.6 else HOSTILE))
        elif change < 0.75:
            del where[key]
        elif change < 0.85 and isinstance(where, list):
            where.insert(key, copy.deepcopy(where[key]))
        else:
            other, other_key = rng.choice(there)
            where[key] = copy.deepcopy(other[other_key])
    return made


def damaged_bytes(whole: bytes, rng: random.Random) -> bytes:
    raw = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(raw) or 1)
        until = at + rng.choice((1, 4, 200))
        change = rng.randrange(4)
        if change == 0:
            raw[at:until] = rng.randbytes(min(4, until - at))
        elif change == 1:
            del raw[at:until]
        elif change == 2:
            raw[at:at] = raw[at:until]
        else:
            raw[at : at + 1] = bytes([rng.randrange(256)])
    return bytes(raw)


def damaged_json(whole: bytes, rng: random.Random) -> bytes:
    """A document's values more often than its bytes."""
    if rng.random() < 0.2:
        return damaged_bytes(whole, rng)
    return json.dumps(damaged_document(json.loads(whole), rng)).encode()


def damaged_lines(whole: bytes, rng: random.Random) -> bytes:
    """One of a file's lines, each a document; or lines exchanged, doubled, taken away, cut off."""
    lines = whole.splitlines()
    if rng.random() < 0.15:
        return damaged_bytes(whole, rng)
    at = rng.randrange(len(lines))
    change = rng.random()
    if change < 0.8:
        lines[at] = json.dumps(damaged_document(json.loads(lines[at]), rng)).encode()
    elif change < 0.87:
        lines.insert(at, lines[rng.randrange(len(lines))])
    elif change < 0.94:
        del lines[at]
    else:
        rng.shuffle(lines)
    return b"\n".join(lines) + b"\n"


def damaged_gzip(whole: bytes, rng: random.Random) -> bytes:
    """Mostly of what is packed, which a checksum would otherwise tell first."""
    if rng.random() < 0.3:
        return damaged_bytes(whole, rng)
    return gzip.compress(damaged_bytes(gzip.decompress(whole), rng), 1, mtime=0)


def damaged_archive(whole: bytes, rng: random.Random) -> bytes:
    """A NumPy archive: its object, an array's shape or type, a member more or less, or its bytes."""
    return _damaged_archive(whole, rng, "about", lambda text: np.frombuffer(text.encode(), np.uint8))


def damaged_problem(whole: bytes, rng: random.Random) -> bytes:
    """The same of an archive whose object is a text."""
    return _damaged_archive(whole, rng, "checks", np.array)


def _damaged_archive(whole: bytes, rng: random.Random, about: str, packed: Callable[[str], Any]) -> bytes:
    change = rng.random()
    if change < 0.2:
        return damaged_bytes(whole, rng)
    with np.load(io.BytesIO(whole)) as archive:
        arrays = dict(archive)
    name = rng.choice(sorted(set(arrays) - {about}))
    if change < 0.7:
        text = str(arrays[about]) if about == "checks" else arrays[about].tobytes()
        arrays[about] = packed(json.dumps(damaged_document(json.loads(text), rng)))
    elif change < 0.9:
        arrays[name] = rng.choice(
            (
                *(arrays[name].T, arrays[name].astype(np.float64), arrays[name].ravel()),
                *(arrays[name] * np.float32("nan"), np.float32(1e38) + arrays[name], np.zeros(0, np.float32)),
                *(np.array(1.0, np.float32), np.array(["text"]), arrays[about]),
            )
        )
    elif change < 0.95:
        del arrays[name]
    else:
        arrays[rng.choice(("parameter_x", "../x", "state_99"))] = arrays[name]
    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue() if rng.random() < 0.9 else _packed(made.getvalue())


def _packed(raw: bytes) -> bytes:
    """The same members compressed, each of whose bytes then stands for many."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as before, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name in before.namelist():
            file.writestr(name, before.read(name))
    return made.getvalue()


def toml(value: Any) -> str:
    """A document as TOML, tables within tables in a line; what TOML lacks as a text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value) if "e" not in repr(value) else repr(value).replace("e+", "e")
    return json.dumps("" if value is None else value)


def damaged_toml(document: dict[str, Any]) -> Damage:
    """Of a document that is written anew each time; its bytes are damaged as well."""

    def damaged(whole: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.25:
            return damaged_bytes(whole, rng)
        tables = damaged_document(document, rng).items()
        text = "\n".join(f"{json.dumps(name)} = {toml(part)}" for name, part in tables) + "\n"
        return text.encode("utf-8", "surrogatepass")

    return damaged
