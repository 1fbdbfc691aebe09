"""How long the report of a large result file takes to write, and its page to open.

    python docs/studies/report_speed.py RUN.json [--megabytes 20]

Takes a real run and repeats its set-ups, each round a little moved so that none is alike, until the file
has the size asked for. Written: the whole command from its start as a process to its end. Opened: from
the browser's start of navigation to its load event, to the first plot drawn, and to all of them drawn, in
a new headless Chromium. Each five times; the median and the range are printed.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
TIMES = 5
WRITTEN_S, OPENED_S, LARGEST_MB = 3.0, 2.0, 6.0  # what is promised
NAMES = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Both times, and whether they keep what is promised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--megabytes", type=float, default=20.0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large, page = Path(folder) / "large.json", Path(folder) / "large.html"
        large.write_text(enlarged(json.loads(told.run.read_bytes()), told.megabytes * 1e6), encoding="utf-8")
        writing = [written(large, page) for _ in range(TIMES)]
        opening = [opened(page) for _ in range(TIMES)]
        megabytes = page.stat().st_size / 1e6
        print(f"result file {large.stat().st_size / 1e6:.1f} MB, page {megabytes:.2f} MB")
    line("written", writing)
    for name in opening[0]:
        line(name, [one[name] for one in opening])
    kept = statistics.median(writing) < WRITTEN_S and megabytes < LARGEST_MB
    kept &= statistics.median(one["opened, first plot drawn"] for one in opening) < OPENED_S
    print("kept" if kept else "NOT kept", f"(written {WRITTEN_S} s, opened {OPENED_S} s, {LARGEST_MB} MB)")
    raise SystemExit(not kept)


def line(name: str, seconds: list[float]) -> None:
    """One figure with its range."""
    middle, reach = statistics.median(seconds), f"{min(seconds):.2f} to {max(seconds):.2f}, n={len(seconds)}"
    print(f"{name}: {middle:.2f} s ({reach})")


def enlarged(document: dict[str, Any], size: float) -> str:
    """The file with its set-ups repeated as further blocks, in the layout of the original."""
    draw = random.Random(0)
    entries = [benchmark["extra_info"]["mtl_bench"] for benchmark in document["benchmarks"]]
    first = [copy.deepcopy(entry["set_ups"]) for entry in entries]
    blocks = 1 + max(set_up["block"] for set_ups in first for set_up in set_ups)
    told, copies = json.dumps(document, indent=1), 0
    once = len(json.dumps(first, indent=1))
    while len(told) < size:
        for _ in range(max(1, int((size - len(told)) / once / 1.5))):
            copies += 1
            for entry, set_ups in zip(entries, first, strict=True):
                entry["set_ups"] += [moved(set_up, copies * blocks, draw) for set_up in set_ups]
        told = json.dumps(document, indent=1)
    return told


def moved(set_up: dict[str, Any], start: int, draw: random.Random) -> dict[str, Any]:
    """A set-up that comes later and whose rounds took a little more or less."""
    found = copy.deepcopy(set_up)
    found["block"] = start + set_up["block"]
    for each in (*found["rounds"], *found["warm_up"]):
        each["seconds"] *= draw.gauss(1.0, 0.02)
    return found


def written(large: Path, page: Path) -> float:
    """Seconds of the command, from start to end."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "bench", "report", str(large), "-o", str(page)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def opened(page: Path) -> dict[str, float]:
    """Seconds until the page is loaded, has its first plot, has all."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, NAMES)), None),
            args=["--no-sandbox"] if root else [],
        )
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        start = time.perf_counter()
        tab.goto(page.as_uri())
        loaded = time.perf_counter() - start
        tab.wait_for_selector(".plot[data-drawn]", state="attached")
        first = time.perf_counter() - start
        tab.wait_for_selector("html[data-plots=drawn]", state="attached")
        every = time.perf_counter() - start
        browser.close()
    return {"loaded": loaded, "opened, first plot drawn": first, "every plot drawn": every}


if __name__ == "__main__":
    main()
