"""MXNet's timeline made fit for Perfetto: whole calls in order of time, small numbers, a bounded size.

MXNet writes each operator twice (as a duration and as an asynchronous event), numbers threads by 64-bit
hashes, which JavaScript rounds into one another, and keeps no order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MOST_CALLS = 30_000  # the last of them: 3 MB, some hundreds of steps


def read_calls(path: Path) -> list[dict[str, Any]]:
    """The calls in MXNet's file, in order of time: complete events with duration, in microseconds.

    Raises ValueError or KeyError for a file that is not one of MXNet's.
    """
    traced = json.loads(path.read_bytes())["traceEvents"]
    devices = {e["pid"]: e["args"]["name"] for e in traced if e["ph"] == "M" and e["name"] == "process_name"}
    waiting: dict[tuple[int, int, str], list[int]] = {}
    calls = []
    for event in traced:
        if event["ph"] not in ("B", "E"):
            continue
        begun = waiting.setdefault((event["pid"], event["tid"], event["name"]), [])
        if event["ph"] == "B":
            begun.append(event["ts"])
        elif begun:
            start = begun.pop()
            more = {"ph": "X", "ts": start, "dur": event["ts"] - start, "cat": "operator"}
            calls.append({"name": event["name"], **more, "pid": event["pid"], "tid": event["tid"]})
    for call in calls:
        call["device"] = devices.get(call["pid"], "")
    return sorted(calls, key=lambda call: (call["ts"], -call["dur"]))


def tidy(calls: list[dict[str, Any]], most: int = MOST_CALLS) -> bytes:
    """Chrome's trace JSON of the last calls, beginning at 0, with devices and threads named."""
    kept = calls[-most:]
    start = kept[0]["ts"] if kept else 0
    devices = {device: i + 1 for i, device in enumerate(sorted({c["device"] for c in kept}))}
    threads = {thread: i + 1 for i, thread in enumerate(sorted({c["tid"] for c in kept}))}
    used = sorted({(devices[c["device"]], threads[c["tid"]]) for c in kept})
    named: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": number, "args": {"name": f"MXNet {device}".rstrip(" /")}}
        for device, number in devices.items()
    ]
    named += [
        {"name": "thread_name", "ph": "M", "pid": pid, "tid": tid, "args": {"name": f"engine thread {tid}"}}
        for pid, tid in used
    ]
    events = [
        {
            **{key: call[key] for key in ("name", "cat", "ph", "dur")},
            "ts": call["ts"] - start,
            "pid": devices[call["device"]],
            "tid": threads[call["tid"]],
        }
        for call in kept
    ]
    document = {"traceEvents": named + events, "displayTimeUnit": "ms"}
    return json.dumps(document, separators=(",", ":")).encode()
