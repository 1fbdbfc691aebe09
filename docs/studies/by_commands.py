"""How often ``python -m bench regress`` is right, by the command itself on real revisions.

    python docs/studies/by_commands.py record FILE MINUTES
    python docs/studies/by_commands.py table FILE ...

``record`` clones this repository into a temporary folder, commits a known change on top of each of three
branches, and calls ``python -m bench regress step --budget 60s`` on them in turn until the time is over. Each
outcome is a line of FILE as soon as it is there; called again it goes on. ``table`` counts what was called,
with exact 95 % limits (Clopper & Pearson), of files of one or several hours.

The changes: a sentence in README; an operator of the engine more in every step, which takes some 5 % of it;
one step of twenty done twice.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from bench.stats.proportions import clopper_pearson
from mtl_core.errors import UserError
from reports.pages.trust import counted_as

ROOT = Path(__file__).parents[2]
STEP = Path("mtl_core/step.py")
BUDGET = "60s"
ANCHOR = "        self.trainer.step(images.shape[0])\n"  # the last line of a step but for its return
OPERATOR = """        weights = self.parameters[0].data()
        weights *= 1.0
"""
AGAIN = """        self.calls = getattr(self, "calls", 0) + 1
        if self.calls % 20 == 0:
            self.forward_backward(images, *labels)
            self.trainer.step(images.shape[0])
"""


class Change(NamedTuple):
    """What is committed on top of the base, and how it ought to be called."""

    says: str
    file: Path
    after: str  # a text in the file
    added: str
    slower: str | None  # "at rest", "now and then"; None: not at all


CHANGES = {
    "identical": Change("a sentence in README", Path("README.md"), "\n", "One sentence more.\n", None),
    "operator": Change("an operator more in every step", STEP, ANCHOR, OPERATOR, "at rest"),
    "every_20": Change("one step of 20 done twice", STEP, ANCHOR, AGAIN, "now and then"),
}


def git(folder: Path, *arguments: str) -> str:
    """What git says. Raises UserError with its own words where it fails."""
    named = ["-c", "user.name=study", "-c", "user.email=study@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *named, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def branches(clone: Path) -> None:
    """A branch a change, each a commit on top of the same base. Raises UserError where none can be made."""
    base = git(clone, "rev-parse", "HEAD")
    for name, change in CHANGES.items():
        git(clone, "checkout", "-q", "-b", name, base)
        path = clone / change.file
        before, found, rest = path.read_text(encoding="utf-8").partition(change.after)
        if not found:
            raise UserError(f"{change.file} has no {change.after!r} any more: this study has to follow it")
        path.write_text(before + found + change.added + rest, encoding="utf-8")
        git(clone, "commit", "-q", "-a", "-m", change.says)
    git(clone, "checkout", "-q", "-b", "base", base)


def one(clone: Path, name: str) -> dict[str, Any]:
    """What the command says of a change, with when it was asked and its exit code."""
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    asked = ("regress", "step", "--base", "base", "--head", name, "--budget", BUDGET, "--format", "json")
    command = [sys.executable, "-m", "bench", *asked]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise UserError(f"{' '.join(asked)} ended with {done.returncode}: {done.stderr.strip()}") from None
    return {"at": at, "change": name, "exit_code": done.returncode, "said": said}


def record(path: Path, minutes: float) -> None:
    """Comparisons in turn until the time is over."""
    end, turns = time.monotonic() + 60.0 * minutes, cycle(CHANGES)
    folder = Path(tempfile.mkdtemp(prefix="mtl-study-"))
    try:
        git(ROOT, "clone", "-q", str(ROOT), str(folder / "clone"))
        branches(folder / "clone")
        with path.open("a", encoding="utf-8") as file:
            while time.monotonic() < end:
                outcome = one(folder / "clone", next(turns))
                file.write(json.dumps(outcome) + "\n")
                file.flush()
                print(f"{outcome['at']} {outcome['change']}: {_verdict(outcome)}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _comparison(outcome: dict[str, Any]) -> dict[str, Any]:
    (comparison,) = outcome["said"]["comparisons"]
    return dict(comparison)


def _verdict(outcome: dict[str, Any]) -> str:
    comparison = _comparison(outcome)
    cause = comparison.get("cause")
    return f"{comparison['verdict']} {cause}" if cause else str(comparison["verdict"])


def _right(change: Change, outcome: dict[str, Any]) -> bool:
    """Whether it is called as it is; of identical code, whether it is called at all."""
    if change.slower is None:
        return _verdict(outcome).split()[0] in ("slower", "faster")
    return _verdict(outcome) == f"slower {change.slower}"


def _half_width(outcome: dict[str, Any]) -> float | None:
    effect = _comparison(outcome)["effect"]
    return None if effect is None else (effect["high"] - effect["low"]) / 2 / effect["ratio"]


def table(outcomes: Sequence[dict[str, Any]]) -> list[str]:
    """Lines of Markdown, a row a change."""
    lines = [
        "| change | called as it is | at rest / now and then / faster / same / undecided | half-width | s |",
        "|---|---|---|---|---|",
    ]
    kinds = ("slower at rest", "slower now and then", "faster", "same", "undecided")
    for name, change in CHANGES.items():
        of_it = [outcome for outcome in outcomes if outcome["change"] == name]
        if not of_it:
            continue
        hits = sum(_right(change, outcome) for outcome in of_it)
        verdicts = [_verdict(outcome) for outcome in of_it]
        widths = [width for outcome in of_it if (width := _half_width(outcome)) is not None]
        seconds = statistics.median(_comparison(outcome)["seconds"] for outcome in of_it)
        width = f"{100 * statistics.median(widths):.2f} %" if widths else "none"
        lines.append(
            f"| {change.says} | {counted_as(hits, clopper_pearson(hits, len(of_it)))} | "
            f"{' / '.join(str(verdicts.count(kind)) for kind in kinds)} | {width} | {seconds:.0f} |"
        )
    if outcomes:
        times = sorted(outcome["at"] for outcome in outcomes)
        lines += ["", f"{len(outcomes)} comparisons, {times[0]} to {times[-1]}, at most {BUDGET} each."]
    return lines


def main(arguments: list[str]) -> None:
    """Record or count."""
    if arguments[:1] == ["record"] and len(arguments) == 3:
        record(Path(arguments[1]).resolve(), float(arguments[2]))
    elif arguments[:1] == ["table"] and len(arguments) > 1:
        read = [Path(each).read_text(encoding="utf-8").splitlines() for each in arguments[1:]]
        print("\n".join(table([json.loads(line) for lines in read for line in lines])))
    else:
        raise UserError("expected record FILE MINUTES, or table FILE ...")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (UserError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
