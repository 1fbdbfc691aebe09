"""The data behind a page, to download: the file as it was, or less of it where that would be too much."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bench.records.run import Run
from reports.formats.html.page import packed
from reports.model.page import Raw
from reports.pages.rounds import in_time

# Bytes of the file, then of its packed form: with the plotting library a page stays below 6 MB.
LARGEST_FILE, LARGEST_PACKED = 12_000_000, 3_000_000
MOST_ROUNDS = 100  # of a variant, in what is offered for a large file
HOST = re.compile(rb'("node":\s*)"(?:[^"\\]|\\.)*"')  # pytest-benchmark's name of the machine


def raw_of(run: Run, content: bytes) -> Raw:
    """The file without the host's name; of a large one the estimates and thinned rounds."""
    shared = HOST.sub(rb'\1""', content)
    if len(shared) <= LARGEST_FILE and len(packed(shared)) <= LARGEST_PACKED:
        said = f"The whole result file ({_size(shared)}): every round and warm-up, but not the host's name."
        return Raw(run.name, shared, said)
    less = _reduced(run)
    said = (
        f"The result file ({_size(content)}) is too large for this page. Offered are all estimates, times by "
        f"set-up, and up to {MOST_ROUNDS} rounds a variant ({_size(less)}): the quickest and slowest of each "
        "stretch of time. Ask for the file itself to compute with every round."
    )
    return Raw(f"{run.name.removesuffix('.json')}-reduced.json", less, said)


def raw_record(name: str, told: str, what: str) -> Raw | None:
    """What a command prints as JSON, to download with a page; None where it is too much for one."""
    content = told.encode()
    if len(content) > LARGEST_FILE or len(packed(content)) > LARGEST_PACKED:
        return None
    return Raw(name, content, f"{what} ({_size(content)}).")


def _size(content: bytes) -> str:
    return f"{len(content) / 1e6:.1f} MB" if len(content) >= 1e5 else f"{len(content) / 1e3:.0f} kB"


def _reduced(run: Run) -> bytes:
    """Estimates and thinned rounds as JSON; endless intervals end in null."""
    told: dict[str, Any] = {
        "reduced_from": run.name,
        "measured_at": run.measured_at,
        "machine": run.machine,
        "ceilings": run.ceilings,
        "settings": run.settings,
        "answers": run.answers,
        "warnings": run.warnings,
        "measured": run.measured,
        "rounds": {
            group: {variant: _rounds(run, group, variant) for variant in known}
            for group, known in run.measured.items()
        },
    }
    return msgspec.json.format(msgspec.json.encode(told, enc_hook=float), indent=1)


def _rounds(run: Run, group: str, variant: str) -> list[dict[str, float]]:
    found = [
        {"round": number, "set_up": block.index, "iteration_s": each.iteration_s}
        for block in run.blocks.get(group, [])
        if variant in block.set_ups
        for number, each in enumerate(block.set_ups[variant].rounds)
    ]
    kept = in_time([each["iteration_s"] for each in found], MOST_ROUNDS)
    return [found[place] for place in kept]
