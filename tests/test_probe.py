"""Whether MXNet computes on a device: real workers here, and a driver that ends its process."""

from __future__ import annotations

from typing import Any

import pytest

from bench.benchmarks.test_device import question_for
from bench.harness.pool import WorkerFailedError
from bench.harness.probe import nothing_computes, trouble_on


class Failing:
    """A worker whose process the driver ends."""

    ended = 0

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        raise WorkerFailedError("crashed: signal SIGSEGV", ["loading", "libcuda: no device"])

    def end(self) -> None:
        Failing.ended += 1


def test_a_second_device_of_this_machine_computes_and_a_gpu_of_the_cpu_build_does_not() -> None:
    assert trouble_on("cpu(1)") is None
    trouble = trouble_on("gpu(0)")
    assert trouble is not None
    assert trouble.startswith("MXNet does not compute on gpu(0): ")
    assert "GPU" in trouble.partition(": ")[2]
    assert len(trouble.splitlines()) == 1


def test_a_driver_that_ends_the_process_is_told_and_nothing_is_left_running() -> None:
    assert trouble_on("gpu(7)", lambda environment: Failing()) == (
        "MXNet does not compute on gpu(7): crashed: signal SIGSEGV; libcuda: no device"
    )
    assert Failing.ended == 1


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        (("gpu(0)",), "MXNet does not compute on gpu(0)"),
        (("gpu(0)", "cpu(1)"), None),
        ((), None),
    ],
)
def test_the_question_is_skipped_with_the_reason_only_where_no_device_computes(
    devices: tuple[str, ...], told: str | None
) -> None:
    reason = question_for(devices, None if devices else "no driver").skipped()
    assert (reason or "").startswith(told or ("no driver" if not devices else ""))
    assert (nothing_computes(devices) is None) == (told is None)
