"""What the harness itself costs, beside pytest-benchmark's own fixture.

Run ``python docs/studies/harness_cost.py``. Two workloads whose time is known are measured by both: one
that does nothing, and one that spins for 50 microseconds. For the harness it prints the share and the
time an iteration that the coordinator, the pipe and the worker's bookkeeping take beside the timed
rounds; for both, what an iteration was measured to take.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.harness.pool import WorkerProcess

ROUNDS = 100
ROUND_S = 0.020
SPIN_S = 50e-6


class Nothing:
    """An iteration is an empty turn of a loop."""

    images = 1
    spin_s = 0.0

    def prepare(self) -> None:
        """Nothing to return to."""

    def run(self, iterations: int) -> None:
        if self.spin_s:
            for _ in range(iterations):
                spin()
        else:
            for _ in range(iterations):
                nothing()

    def synchronise(self) -> None:
        """Nothing is pending."""

    def round_facts(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        """Nothing was started."""


class Spin(Nothing):
    """An iteration spins for 50 microseconds."""

    spin_s = SPIN_S


def nothing() -> None:
    """The work of an empty iteration."""


def spin() -> None:
    """The work of an iteration of known length."""
    end = time.perf_counter() + SPIN_S
    while time.perf_counter() < end:
        pass


def harness(name: str) -> str:
    """What the harness takes beside the rounds, and what it measured."""
    worker = WorkerProcess({})
    try:
        worker.ask("set_up", workload=f"docs.studies.harness_cost:{name}", settings={}, seed=0)
        once = worker.ask("round", iterations=1000)["ns"] / 1e9 / 1000
        iterations = max(1, round(ROUND_S / once))
        beside, timed, cpu = [], [], time.process_time()
        for _ in range(ROUNDS):
            start = time.perf_counter()
            took = worker.ask("round", iterations=iterations)["ns"] / 1e9
            beside.append(time.perf_counter() - start - took)
            timed.append(took)
        cpu = time.process_time() - cpu
    finally:
        worker.end()
    share = statistics.median(beside) / statistics.median(timed)
    each_ns = 1e9 * statistics.median(timed) / iterations
    return (
        f"{name:8} harness: CPU {cpu / sum(timed):.2%} of the timed; with waiting for pipes "
        f"{share:.2%} of the timed {1e3 * statistics.median(timed):.1f} ms beside it "
        f"({1e6 * statistics.median(beside):.0f} µs a round, "
        f"{1e9 * statistics.median(beside) / iterations:.1f} ns "
        f"an iteration); an iteration measured as {each_ns:,.1f} ns"
    )


FIXTURE = """
from docs.studies.harness_cost import nothing, spin
def test_nothing(benchmark): benchmark(nothing)
def test_spin(benchmark): benchmark(spin)
"""


def fixture() -> list[str]:
    """What pytest-benchmark's fixture measured, and the time of its run beside the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "test_fixture.py"), Path(folder, "out.json")
        file.write_text(FIXTURE)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder]
        subprocess.run(
            [*command, str(file), f"--benchmark-json={out}"], check=True, stdout=subprocess.DEVNULL
        )
        told = json.loads(out.read_text())
    return [
        f"{b['name']:12} pytest-benchmark: {b['stats']['rounds']} rounds of {b['stats']['iterations']}; "
        f"an iteration measured as {1e9 * b['stats']['median']:,.1f} ns"
        for b in told["benchmarks"]
    ]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    print("\n".join([harness("Nothing"), harness("Spin"), *fixture()]))
