"""A machine of which nothing is measured: workers that answer at once, with times that were made up.

Everything else is as in a run: harness, pytest, statistics, answers, pages. ``install`` changes this process.
"""

from __future__ import annotations

import json
import random
import zlib
from typing import Any

import msgspec

from bench.harness import pool, session
from bench.records.declared import Declared
from bench.records.run import Ceilings

CEILINGS = Ceilings(
    mxnet_gflop_per_s=100.0,
    numpy_gflop_per_s=100.0,
    memory_gb_per_s=10.0,
    python_loops_per_s=1e7,
    mxnet="1.9.1",
    numpy="1.26",
    features=[],
    libraries=[],
)
STEP_S = 2e-3
HEADS = ["box", "kind"]


def declared(network: str, batch_size: int) -> Declared:
    """What each network turns out to be: two heads; a wide one with twice the parameters."""
    size = 2 if network.endswith("wide") else 1
    return Declared(
        network=network,
        heads=HEADS,
        batch_size=batch_size,
        takes_heads=True,
        parameters=1000 * size,
        training_flop=6000.0 * size,
    )


def step_s(settings: dict[str, Any]) -> float:
    """Half the time for a head less, half more for a wide network, a tenth less for static memory."""
    heads = settings.get("heads") or HEADS
    wide = 1.5 if str(settings["network"]).endswith("wide") else 1.0
    static = 0.9 if settings.get("mode") == "static" else 1.0
    return STEP_S * len(heads) / len(HEADS) * wide * static


PLAYED = ("__init__", "send", "receive", "let_go", "end")  # of a worker process


class PlayedWorker:
    """What takes the place of a worker process's methods."""

    settings: dict[str, Any]

    def __init__(self, *_: Any, **__: Any) -> None:
        self.settings = {}
        self.answer: dict[str, Any] = {}

    def send(self, do: str, **arguments: Any) -> None:
        self.answer = self.answered(do, arguments)

    def receive(self) -> dict[str, Any]:
        return self.answer

    def let_go(self) -> None:
        """There is no process."""

    def end(self) -> None:
        """Nor is there then."""

    def answered(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if do == "declare":
            return {"declared": msgspec.to_builtins(declared(**arguments))}
        if do == "set_up":
            self.settings = arguments["settings"]
            key = json.dumps([self.settings, arguments["seed"]], sort_keys=True)
            self.rng = random.Random(zlib.crc32(key.encode()))
            images = int(self.settings.get("batch_size", 8))
            return {"images": images, "set_up_ns": 10**7, "first_call_ns": 4 * 10**7}
        if do == "round":
            seconds = step_s(self.settings) * arguments["iterations"] * self.rng.gauss(1.0, 0.004)
            return {"ns": int(1e9 * seconds), "facts": {}}
        return {"parameters": 1000.0} if do == "facts" else {}


def install() -> None:
    """Have every worker of this process be played from now on."""
    for name in PLAYED:
        setattr(pool.WorkerProcess, name, getattr(PlayedWorker, name))
    pool.WorkerProcess.answered = PlayedWorker.answered  # type: ignore[attr-defined]
    session.measure_ceilings = lambda environment: CEILINGS  # type: ignore[attr-defined]
