"""The golden file of the work counters: what a step did when it was last agreed to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.records.run import Work
from mtl_core.errors import UserError
from mtl_core.platform.on_disk import LARGEST_NUMBER, ForeignError, content, json_object
from mtl_core.program.files import write_whole

GOLDEN = Path(__file__).parents[1] / "work.golden.json"
UPDATE = "write it with python -m bench work --update"


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the golden file."""

    schema: int
    mxnet: str  # the release that was counted
    work: dict[str, Work]  # by step, such as "step/hybridized"


SCHEMA = 1
LARGEST_FILE = 10 * 2**20  # bytes; ours has 10 kB


def read_golden(path: Path) -> Golden:
    """The golden file. Raises UserError, naming it and the remedy, when it is missing or damaged."""
    try:
        raw = content(path, LARGEST_FILE, UPDATE)
        golden = msgspec.convert(json_object(raw, largest=LARGEST_NUMBER), Golden)
    except (msgspec.ValidationError, ForeignError) as error:
        raise UserError(f"{path} is damaged ({error}); {UPDATE}") from None
    if golden.schema != SCHEMA:
        raise UserError(f"{path} has schema {golden.schema}, this version reads {SCHEMA}; {UPDATE}")
    return golden


def write_golden(path: Path, mxnet: str, work: dict[str, Work]) -> None:
    """Write the golden file: one counter a line, names sorted, so that a difference reads as one."""
    counts = {name: replace(counted, waited_at={}) for name, counted in sorted(work.items())}
    document = msgspec.to_builtins(Golden(schema=SCHEMA, mxnet=mxnet, work=counts))
    for counted in document["work"].values():
        del counted["waited_at"]
    text = json.dumps(document, indent=2) + "\n"
    write_whole(path, lambda file: file.write(text.encode()), "--golden")
