"""What a worker answers to each command, checked before it is believed: a checkout may say anything."""

from __future__ import annotations

import json
from typing import Any

import msgspec

CHANNEL = "MTL_ANSWERS"  # the file descriptor for answers; __main__.py has it too, which imports nothing


class Gate(msgspec.Struct):
    """To ``gate``: what a checkout declares."""

    protocol: int
    benchmarks: list[Any]
    files: dict[str, str]


class Hello(msgspec.Struct):
    """To ``hello``: who answers."""

    pid: int
    mxnet: str | None  # its version; None in the environment of another framework
    bench: str
    mtl_core: str


class Probed(msgspec.Struct):
    """To ``probe``: why a device does not compute."""

    trouble: str | None


class Built(msgspec.Struct):
    """To ``set_up``: images an iteration, nanoseconds."""

    images: int
    set_up_ns: int
    first_call_ns: int | None


class Refused(msgspec.Struct, forbid_unknown_fields=True):
    """To ``set_up`` of a workload that does other work than it is compared with."""

    refused: str


class Timed(msgspec.Struct):
    """To ``round``: nanoseconds, what was counted in it, and each call's where calls are timed one by one."""

    ns: int
    facts: dict[str, float]
    calls_ns: list[int] = []


ANSWERS: dict[str, Any] = {
    "gate": Gate,
    "hello": Hello,
    "probe": Probed,
    "set_up": Built,
    "round": Timed,
    "facts": dict[str, float],
}  # of the others: any object


def checked(do: str, line: bytes) -> dict[str, Any]:
    """The answer to a command in a line. Raises ValueError for what is none."""
    try:
        answer = json.loads(line)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    refused = do == "set_up" and isinstance(answer, dict) and "refused" in answer
    msgspec.convert(answer, Refused if refused else ANSWERS.get(do, dict[str, Any]))
    valid: dict[str, Any] = answer
    return valid


def is_sign_of_life(line: bytes) -> bool:
    """Whether a line of the channel is ``{"alive": stage}``."""
    return line.startswith(b'{"alive": ')
