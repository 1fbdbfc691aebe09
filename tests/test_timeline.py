"""MXNet's trace made fit for Perfetto."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench.profile.timeline import read_calls, tidy

THREADS = (14323851334321824468, 14323851334321824469)  # apart by 1: the same number to JavaScript


def raw(calls: list[tuple[int, int, int]]) -> bytes:
    """A trace as MXNet writes it: a line for each device, each call twice."""
    events: list[dict[str, Any]] = [
        {"ph": "M", "args": {"name": "cpu/0"}, "pid": 0, "name": "process_name"},
        {"ph": "M", "args": {"name": "operator"}, "pid": 3060606181218273969, "name": "process_name"},
    ]
    for start, lasts, thread in calls:
        for begin, end, pid in (("B", "E", 0), ("b", "e", 3060606181218273969)):
            more = {"name": "dot", "cat": "operator", "pid": pid, "tid": THREADS[thread]}
            events += [{**more, "ph": begin, "ts": start}, {**more, "ph": end, "ts": start + lasts}]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}).encode()


def tidied(tmp: Path, calls: list[tuple[int, int, int]], most: int = 100) -> list[dict[str, Any]]:
    file = tmp / "raw.json"
    file.write_bytes(raw(calls))
    events: list[dict[str, Any]] = json.loads(tidy(read_calls(file), most))["traceEvents"]
    return events


def test_calls_come_once_in_order_from_zero_with_small_numbers(tmp_path: Path) -> None:
    events = tidied(tmp_path, [(1_795_498_897_405_889, 7, 0), (1_795_498_897_405_880, 5, 1)])
    calls = [event for event in events if event["ph"] == "X"]
    assert [(c["name"], c["ts"], c["dur"], c["tid"]) for c in calls] == [("dot", 0, 5, 2), ("dot", 9, 7, 1)]
    names = {event["args"]["name"] for event in events if event["ph"] == "M"}
    assert names == {"MXNet cpu/0", "engine thread 1", "engine thread 2"}


def test_only_the_last_calls_are_kept(tmp_path: Path) -> None:
    events = tidied(tmp_path, [(ts, 1, 0) for ts in range(10)], most=3)
    assert [event["ts"] for event in events if event["ph"] == "X"] == [0, 1, 2]


def test_a_trace_without_calls_is_empty(tmp_path: Path) -> None:
    assert tidied(tmp_path, []) == []


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 100), st.integers(0, 1)), max_size=30))
def test_every_call_is_there_and_sorted(calls: list[tuple[int, int, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        found = [event for event in tidied(Path(name), calls) if event["ph"] == "X"]
    assert sorted(event["dur"] for event in found) == sorted(lasts for _, lasts, _ in calls)
    assert [event["ts"] for event in found] == sorted(event["ts"] for event in found)
