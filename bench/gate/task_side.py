"""Two revisions of somebody's repository, whose declared network one installed suite measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.gate.checkouts import Checkout
from bench.gate.sides import Side, start
from bench.harness import declaring
from bench.machine.interpreter import workers_python
from bench.questions.gate import Benchmark
from bench.records.declared import Declared
from mtl_core.errors import UserError

HERE = Path(__file__).parents[2]  # the suite's own files, which both sides run

ASKS = {"step": "one training step", "forward": "one forward pass with the losses"}


@dataclass(frozen=True)
class Compared:
    """The network that both revisions declare, and where in the repository it is imported from."""

    network: str
    batch_size: int
    within: Path = Path()  # of the repository: the folder one stands in


def gate_of(task: Declared) -> dict[str, Benchmark]:
    """What guards a declared network: its step and its forward pass."""
    return {
        part: Benchmark(
            name=part,
            asks=f"{what} of {task.network}",
            workload=declaring.WORKLOAD,
            settings={
                "network": task.network,
                "batch_size": task.batch_size,
                "mode": task.best_mode,
                "part": part,
            },
        )
        for part, what in ASKS.items()
    }


def task_side(name: str, checkout: Checkout, compared: Compared) -> Side:
    """A side whose workers import the network from its own checkout. Raises UserError where it has none."""
    side = Side(name, HERE, workers_python(), project=checkout.root / compared.within)
    try:
        task = declaring.declared(
            compared.network, compared.batch_size, start=lambda environment: start(side, environment)
        )
    except UserError as error:
        begin = (
            "; where the declaration is new, commit it to the base first: from then on revisions compare"
            if name == "base"
            else ""
        )
        raise UserError(f"{name} does not declare the network: {error}{begin}") from None
    return side._replace(benchmarks=gate_of(task))
