"""What is heard here is not heard in a child, and no signal that comes during a fork is lost."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

import pytest

from mtl_core.platform import forking
from mtl_core.platform.forking import held_back
from tests.processes import in_terminal


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The signals that this process heard: SIGUSR1 is one of those that children forget."""
    numbers: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        numbers.append(number)
        raise InterruptedError

    before = signal.signal(signal.SIGUSR1, hear)
    monkeypatch.setattr(forking, "HEARD", {signal.SIGUSR1})
    yield numbers
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_in_the_block_is_heard_at_its_end(heard: list[int]) -> None:
    with pytest.raises(InterruptedError), held_back():
        os.kill(os.getpid(), signal.SIGUSR1)
        assert heard == []
    assert heard == [signal.SIGUSR1]
    with held_back():
        pass
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_a_child_ends_by_a_signal_that_came_before_it_had_forgotten(heard: list[int]) -> None:
    """It comes right after the fork, while it is held back."""
    program = (
        "import os, signal\n"
        "from mtl_core.platform import forking\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os._exit(9))\n"
        "forking.HEARD.add(signal.SIGUSR1)\n"
        "with forking.held_back():\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os.kill(os.getpid(), signal.SIGUSR1)\n"
        "        os._exit(8)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    with in_terminal(sys.executable, "-c", program) as running:
        told, said = running.communicate(timeout=60)
    assert (told, said) == (f"{-signal.SIGUSR1}\n", "")
    assert heard == []
