"""The file behind a run's page, to download: as it was, or less of it where that would be too much."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bench.records.run import Run
from reports.model.download import Download, fits, size_in_words
from reports.model.thinning import in_time

MOST_ROUNDS = 100  # of a variant, in what is offered for a large file
HOST = re.compile(rb'("node":\s*)"(?:[^"\\]|\\.)*"')  # pytest-benchmark's name of the machine


def download_of(run: Run, content: bytes) -> Download:
    """The file without the host's name; of a large one the estimates and thinned rounds."""
    shared = HOST.sub(rb'\1""', content)
    if fits(shared):
        size = size_in_words(shared)
        said = f"The whole result file ({size}): every round and warm-up, but not the host's name."
        return Download(run.name, shared, said)
    less = _reduced(run)
    said = (
        f"The result file ({size_in_words(content)}) is too large for this page. Offered are all estimates, "
        f"times by set-up, and up to {MOST_ROUNDS} rounds a variant ({size_in_words(less)}): the quickest "
        "and slowest of each stretch of time. Ask for the file itself to compute with every round."
    )
    return Download(f"{run.name.removesuffix('.json')}-reduced.json", less, said)


def _reduced(run: Run) -> bytes:
    """Estimates and thinned rounds as JSON; endless intervals end in null."""
    reduced: dict[str, Any] = {
        "reduced_from": run.name,
        "measured_at": run.measured_at,
        "machine": run.machine,
        "ceilings": run.ceilings,
        "settings": run.settings,
        "answers": run.answers,
        "warnings": run.warnings,
        "measured": run.measured,
        "rounds": {
            group: {variant: _rounds(run, group, variant) for variant in variants}
            for group, variants in run.measured.items()
        },
    }
    return msgspec.json.format(msgspec.json.encode(reduced, enc_hook=float), indent=1)


def _rounds(run: Run, group: str, variant: str) -> list[dict[str, float]]:
    rounds = [
        {"round": number, "set_up": block.index, "iteration_s": each.iteration_s}
        for block in run.blocks.get(group, [])
        if variant in block.set_ups
        for number, each in enumerate(block.set_ups[variant].rounds)
    ]
    kept = in_time([each["iteration_s"] for each in rounds], MOST_ROUNDS)
    return [rounds[place] for place in kept]
