"""Runs to report on: the real one that is kept, and the same with hostile text everywhere; pages as text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from bench.records.run import Answer, Failure, Library, Run
from bench.results.run_file import read_run
from reports.formats import text
from reports.model.page import Page
from reports.model.screen import Screen

KEPT = Path(__file__).parent / "old_runs" / "report.json"
HOSTILE = {
    "script": "<script>window.taken=1</script>",
    "end_of_script": "</script></style><img src=x onerror=window.taken=1>",
    "attribute": '" onmouseover="window.taken=1" x="',
    "template": "{{ 7 * 7 }}{% raw %}%{x}",
    "escapes": "\x1b[31mred\x1b[2J\x1b]0;title\x07\x00\x9b5n",
    "turned": "\u202eevil\u2066\u200f\u200b",
    "markdown": "a|b`c`[x](javascript:alert(1))<details>\n# heading\n---",
    "formula": "=HYPERLINK(1)",
    "role": "@ink",
    "link": '<a href="https://example.org/">x</a><br><b>bold</b>',
    "long": "x" * 10_000,
    "rich": "[bold red]x[/bold red][link=file:///]y[/link]",
    "lone": "\ud800 \U000e0041 \ue000",
}


@cache
def kept() -> Run:
    """A real run, thinned: five set-ups of each part."""
    return read_run(KEPT)


def fewer() -> Run:
    """The same with one part of each kind: every kind of plot, in half the time."""
    run = kept()
    left_out = ("hybridize", "second_head/forward")
    groups = {group: known for group, known in run.measured.items() if not group.startswith(left_out)}
    answers = [answer for answer in run.answers if answer.question not in left_out]
    return msgspec.structs.replace(run, measured=groups, answers=answers)


def hostile(text: str) -> Run:
    """A run of which every name and sentence is this text."""
    run = kept()
    group = "second_head/step"
    known, blocks = run.measured[group], run.blocks[group]

    def renamed(name: str) -> str:
        return f"{text}{name}"

    measured = {renamed(v): msgspec.structs.replace(m, case=_case(m.case, text)) for v, m in known.items()}
    taken = [
        msgspec.structs.replace(b, set_ups={renamed(v): s for v, s in b.set_ups.items()}) for b in blocks
    ]
    assert run.machine is not None and run.ceilings is not None
    machine = msgspec.structs.replace(
        run.machine, cpu=text, system=text, source=text, governor=text, accelerators=[text]
    )
    library = Library(owner=text, api=text, name=text, file=text, threads=1, version=text, kernels=text)
    return msgspec.structs.replace(
        run,
        name=text,
        measured_at=text,
        machine=machine,
        ceilings=msgspec.structs.replace(run.ceilings, loaded=[library]),
        settings={"budget": text, "seed": text},
        answers=[Answer(question=text, asks=text, sentences=[text, text], warnings=[text])],
        warnings=[text],
        failures=[Failure(case=text, reason=text, last_lines=[text])],
        measured={f"{text}/{text}": measured},
        blocks={f"{text}/{text}": taken},
    )


def _case(case: msgspec.Struct, text: str) -> object:
    return msgspec.structs.replace(case, question=text, part=text, variant=text)


def as_html(page: Page) -> str:
    return text(page, "html")


def as_markdown(page: Page) -> str:
    return text(page, "markdown")


def as_csv(page: Page) -> str:
    return text(page, "csv")


def as_json(page: Page) -> str:
    return text(page, "json")


def in_terminal(page: Page, width: int = 80, encoding: str = "utf-8", colour: bool = False) -> str:
    return text(page, "terminal", Screen(width, encoding, "standard" if colour else None))
