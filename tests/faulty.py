"""Workloads that go wrong in a real worker, for the tests of faults."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from pathlib import Path


class Spin:
    """Does nothing for a known time; goes wrong as told."""

    def __init__(self, fault: str = "", spin_s: float = 0.001, images: int = 1) -> None:
        self.fault = fault
        self.images = images
        self.spin_s = spin_s

    def prepare(self) -> None:
        pass

    def run(self, iterations: int) -> None:
        if self.fault == "crash":
            print("about to crash", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.fault == "raise":
            raise ValueError("no such thing")
        if self.fault == "hang":
            signal.pause()
        if self.fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "shared memory":  # what a DataLoader's worker made is never received
            made, tell = os.pipe()
            if os.fork() == 0:
                Path(f"/dev/shm/mx_{os.getpid():x}_5e").touch()
                os.write(tell, b"x")
                signal.pause()
            os.read(made, 1)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault.startswith("at exit "):  # what is to be told of the end is, and nothing after it
            atexit.register(Path(self.fault.removeprefix("at exit ")).touch)
            threading.Thread(target=signal.pause).start()
        if self.fault == "print":
            print("this must not disturb the protocol")
        end = time.perf_counter() + self.spin_s * iterations
        while time.perf_counter() < end:
            pass

    def synchronise(self) -> None:
        pass

    def round_facts(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        pass
