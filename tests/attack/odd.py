"""Some 280 odd attempts at the command line: places, options, environments, limits, streams; seeded.

``python -m tests.attack.odd`` tries what comes on standard input, an attempt a line, each in a process of its
own that is forked from one with everything imported, and tells how it ended.
"""

from __future__ import annotations

import gzip
import importlib
import io
import json
import os
import random
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

OLD = Path(__file__).parents[1] / "old_runs"
LIMIT_S, LARGEST_BYTES = 60, 3 * 2**30
FORMATS = ("terminal", "html", "markdown", "csv", "json", "github")
PLACES = (
    *("pipe", "zero", "null", "full", "stdin", "memory", "socket", "folder", "circle", "sparse", "empty"),
    *("missing", "run.json/x", "packed.json", "cut.json", "x" * 300, "x/" * 3000, "-", "", " ", "~"),
    *("new\nline.json", "\x1b[2J.json", "\udcff.json", "--", "../" * 400 + "x", "file://run.json"),
    *("http://127.0.0.1:9/x", "*.json"),
)  # fmt: skip
READING: dict[str, tuple[str, ...]] = {
    "report": ("report", "PLACE", "--format", "terminal"),
    "report beside": ("report", "run.json", "PLACE", "--format", "csv"),
    "compare": ("compare", "run.json", "PLACE"),
    "history": ("history", "PLACE"),
    "trust": ("trust", "--replay", "PLACE"),
    "work": ("work", "--check", "--golden", "PLACE"),
    "regress": ("regress", "--baseline", "PLACE"),
}
SHOWING: tuple[tuple[str, ...], ...] = (
    *(("report", "run.json", "--format", form) for form in FORMATS),
    ("report", "regression.json", "--format", "terminal"),
    ("report", "profile", "--format", "markdown"),
    ("compare", "run.json", "other.json"),
    ("history", "runs"),
    ("trust", "--replay", "trust.jsonl", "--budget", "10s"),
    ("run", "--list"),
)
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    *({"COLUMNS": width} for width in ("0", "-5", "x", "", "1", "9" * 20, "100000", "\u0663\u0660")),
    *({"TERM": term} for term in ("dumb", "", "no-such-terminal")),
    *({"PYTHONIOENCODING": code} for code in ("ascii", "latin-1", "utf-16", "ascii:strict")),
    *({"LC_ALL": name, "LANG": name} for name in ("C", "xx_XX", "tr_TR.UTF-8")),
    *({"TMPDIR": place} for place in ("/no/such/folder", "/dev/null", "")),
    *({"HOME": place} for place in ("/no/such/folder", "/dev/null", "")),
    *({"TZ": zone} for zone in ("Nowhere/Else", ":", "UTC+99")),
    *({"PATH": path} for path in ("", "/no/such/folder")),
    {"FORCE_COLOR": "1", "NO_COLOR": "1"}, {"FORCE_COLOR": "3"}, {"GITHUB_ACTIONS": "true"}, {"CI": "1"},
    {"PYTHONWARNINGS": "error"}, {"NOX_CURRENT_SESSION": "x"}, {"MTL_DATA_DIR": "/dev/zero"},
    {"MTL_DATA_DIR": "x" * 300}, {"XDG_CACHE_HOME": "/dev/null"}, {"GIT_DIR": "/no/such/folder"},
    {"BENCH_PROJECT": "/dev/null"}, {"MTL_DENORMALS": "perhaps"}, {"OMP_NUM_THREADS": "many"},
)  # fmt: skip
LIMITS: tuple[dict[str, int], ...] = (
    {"NOFILE": 24}, {"NOFILE": 10}, {"NPROC": 1}, {"STACK": 2**19},
    {"CORE": 0}, {"MEMLOCK": 0},
)  # fmt: skip
STREAMS = ("closed input", "closed output", "closed errors", "closed all", "full output", "deaf reader")
COMPARE, REPLAY = ("compare", "run.json", "other.json"), ("trust", "--replay", "trust.jsonl")
OPTIONS: tuple[tuple[str, ...], ...] = (
    *((*COMPARE, "--tolerance", each) for each in ("", "x", "-1", "0", "1e999", "nan", "200%")),
    *((*COMPARE, "--drift", each) for each in ("inf%", "--", "5 %")),
    *((*COMPARE, "--only", each) for each in ("", "\x1b[2J", "zz", "[bold]")),
    *((*REPLAY, "--budget", each) for each in ("0s", "-1s", "9" * 400 + "s", "1e9s", "nans", "10")),
    *((*REPLAY, "--draws", each) for each in ("-1", "x", "1.5")),
    *(("run", "--budget", each, "hybridize") for each in ("0s", "x", "", "-1m", "1s1s", "\u0665s")),
    *(("run", "hybridize", "--batch-size", each) for each in ("0", "60001", "x", "1e3", "9" * 30)),
    *(("run", "hybridize", "--threads", each) for each in ("0", "1025", "-1")),
    *(("run", "hybridize", "--seed", each) for each in ("x", "1.5")),
    *(("run", "--network", each, "heads") for each in ("x", ":", "a.b:", "a b:c", "..:x", "\x1b:x")),
    *(("run", name) for name in ("nothing", "\x1b[2J", "[bold]x", "x" * 10_000, "..")),
    *(("run", "hybridize", "--resume", "--json", place) for place in ("x.json", "/dev/full")),
    *(("report", "run.json", "--format", form) for form in ("xml", "", "HTML", "[red]")),
    *(("report", "run.json", "-o", to) for to in ("x.xml", "run.json", "", "/dev/full", "/proc/x.html")),
    ("report", "run.json", "-o", "folder"),
    *(("regress", "--base", each) for each in ("", "-x", "--", "HEAD:x", "\x1b", "@{-1}", "x" * 5000)),
    *(("history", "runs", "--only", each) for each in ("", "zz", "\x1b")),
    ("history", "runs", "--alarms", "2"),
    ("no-such-command",), ("--no-such-option",), (), ("run", "--quick", "--full", "--list", "--list"),
    ("profile", "nothing"), ("profile", "hybridize/step/static", "--rate", "0"), ("machine", "x"),
    ("export", "--onnx", "x.onnx"), ("export", "x", "--shape", "1,-1"), ("work", "--check", "--update"),
)  # fmt: skip


class Attempt(TypedDict, total=False):
    """A command line, and what is odd about where it runs."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    limits: dict[str, int]
    stream: str


def attempts() -> list[Attempt]:
    """All of them, the same each time."""
    rng = random.Random("odd")
    made: list[Attempt] = [
        {"arguments": tuple(place if part == "PLACE" else part for part in arguments)}
        for arguments in READING.values()
        for place in PLACES
    ]
    made = rng.sample(made, 130)
    made += [{"arguments": arguments} for arguments in OPTIONS]
    made += [{"arguments": rng.choice(SHOWING), "environment": each} for each in ENVIRONMENTS]
    made += [{"arguments": rng.choice(SHOWING), "limits": each} for each in LIMITS * 2]
    made += [{"arguments": rng.choice(SHOWING), "stream": each} for each in STREAMS * 2]
    return made


def furnish(folder: Path) -> None:
    """The files and places that attempts name."""
    from tests.attack import wholes  # which loads MXNet, and that is not to be forked

    run = (OLD / "schema2.json").read_bytes()
    (folder / "runs").mkdir()
    (folder / "folder").mkdir()
    (folder / "profile").mkdir()
    for name in ("run.json", "other.json", "runs/a.json", "runs/b.json", "\udcff.json", "\x1b[2J.json"):
        (folder / name).write_bytes(run)
    (folder / "new\nline.json").write_bytes(run)
    (folder / "profile" / "profile.json").write_bytes(wholes.profile())
    (folder / "regression.json").write_bytes(wholes.regression())
    (folder / "trust.jsonl").write_bytes(wholes.recording())
    (folder / "packed.json").write_bytes(gzip.compress(run))
    (folder / "cut.json").write_bytes(run[: len(run) // 2])
    (folder / "empty").touch()
    os.mkfifo(folder / "pipe")
    (folder / "circle").symlink_to(folder / "circle")
    devices = {"zero": "zero", "null": "null", "full": "full", "stdin": "stdin"}
    for name, device in devices.items():
        (folder / name).symlink_to(f"/dev/{device}")
    (folder / "memory").symlink_to("/proc/self/mem")
    with (folder / "sparse").open("wb") as file:
        file.truncate(10 * 2**30)
    here = socket.socket(socket.AF_UNIX)
    descriptor = os.open(folder, os.O_RDONLY)  # a socket's path has 108 bytes at most
    here.bind(f"/proc/self/fd/{descriptor}/socket")
    os.close(descriptor)
    here.close()


def _child(attempt: Attempt, out: int, err: int) -> None:
    """Become the command line."""
    os.setsid()
    os.environ.update(attempt.get("environment", {}))
    stream = attempt.get("stream", "")
    quiet = os.open(os.devnull, os.O_RDONLY)
    os.dup2(quiet, 0)
    if stream == "full output":
        out = os.open("/dev/full", os.O_WRONLY)
    if stream == "deaf reader":
        hears, out = os.pipe()
        os.close(hears)
    os.dup2(out, 1)
    os.dup2(err, 2)
    closed = {"closed input": (0,), "closed output": (1,), "closed errors": (2,), "closed all": (0, 1, 2)}
    for number in closed.get(stream, ()):
        os.close(number)
    encoding, _, handler = os.environ.get("PYTHONIOENCODING", "utf-8").partition(":")
    sys.stdin, sys.stdout, sys.stderr = (
        None if number in closed.get(stream, ()) else _opened(number, encoding, handler)
        for number in (0, 1, 2)
    )  # type: ignore[assignment]
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_BYTES, LARGEST_BYTES))
    for name, most in attempt.get("limits", {}).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["bench", *attempt["arguments"]]
    from bench.__main__ import main

    main()


def _opened(number: int, encoding: str, handler: str) -> io.TextIOWrapper:
    raw = os.fdopen(number, "rb" if number == 0 else "wb", closefd=False)
    errors = handler or ("backslashreplace" if number == 2 else "strict")
    return io.TextIOWrapper(raw, encoding=encoding, errors=errors, line_buffering=number == 2)


def ended(attempt: Attempt) -> dict[str, Any]:
    """How it ended: its code or signal, and what it said; an attempt that hangs is ended."""
    out, err = os.memfd_create("out"), os.memfd_create("err")
    child = os.fork()
    if child == 0:
        code = 70
        try:
            _child(attempt, out, err)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        except BaseException:
            import traceback

            os.write(err, traceback.format_exc().encode())
        finally:
            with suppress(Exception):
                sys.stdout.flush()
            os._exit(code)
    descriptor, start = os.pidfd_open(child), time.monotonic()
    ready, _, _ = select.select([descriptor], [], [], LIMIT_S)
    if not ready:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(descriptor)
    told = {"code": os.waitstatus_to_exitcode(status) if ready else "hung", "s": time.monotonic() - start}
    for name, file in (("out", out), ("err", err)):
        told[name] = os.pread(file, 20_000, 0).decode(errors="replace")
        os.close(file)
    return told


def main() -> None:
    """Try what comes on standard input, in the current folder."""
    for module in (
        "bench.__main__",
        "bench.results.collection",
        "reports.pages.run",
        "reports.formats.html.page",
    ):
        importlib.import_module(module)  # before the fork: what every attempt would import

    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(ended(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
