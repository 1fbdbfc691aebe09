"""Whatever failed or hung in a run: sentences and tables come from what was measured, in every format."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bench.answers.answer import answer
from bench.answers.renewal import with_answers_anew
from bench.answers.settings import advice_of
from bench.benchmarks import test_device
from bench.benchmarks.of_task import QUESTIONS, Basis
from bench.commands.run import declared_questions
from bench.questions.plan import Group
from bench.questions.question import Question
from bench.records.declared import Declared
from bench.records.run import EPOCH, Block, Failure, Round, Run, SetUp
from bench.results.run_file import BLOCK, entry, header, read_run
from bench.stats.measured import measured
from reports import formats
from reports.pages.brief import brief
from reports.pages.run import run_page
from tests.made_up import MACHINE
from tests.test_session import CEILINGS

BLOCKS, ROUNDS = 3, 8
NOTHING = "Not answered: the baseline could not be measured."
IN_PART = re.compile(r"Answered in part only; the baseline of (.+) could not be measured\.")
TASK = Declared(network="acme:task", heads=["box", "kind"], batch_size=32, takes_heads=True, samples=4096)
KNOWN = Basis(task=TASK, sizes=(8, 32, 64))


@cache
def asked() -> dict[str, list[Question]]:
    """The tutorial's questions and those of a declared network, on a machine that has a second device."""
    device = test_device.question_for(("gpu(0)",), None)
    own = [device if question.name == "device" else question for question in declared_questions()]
    theirs = [made(KNOWN) for name, made in QUESTIONS.items() if name != "device"]
    return {"the tutorial's": own, "a declared network's": theirs}


def set_up(group: Group, variant: str, index: int, rng: np.random.Generator) -> SetUp:
    """A set-up with every fact that a sentence may ask for."""
    settings = group.cases[variant].settings
    shares = {"waiting_share": 0.5, "computing_share": 0.3, "synchronising_share": 0.2}
    facts = shares if group.part == "epoch" else {}
    if group.question == "drift":
        facts = {"denormal_share": 0.01}
    level = 1e-3 * (2 + list(group.cases).index(variant))
    times = level * np.exp(rng.normal(0.0, 0.01, ROUNDS))
    stage = {EPOCH: 0.0} if group.question == "drift" else {}
    rounds = [
        Round(seconds=float(time), iterations=1, facts=facts | dict.fromkeys(stage, 1.0 + number // 4))
        for number, time in enumerate(times)
    ]
    return SetUp(
        case=group.cases[variant].name,
        images=int(str(settings.get("batch_size", 128))),
        set_up_s=0.1,
        first_call_s=0.1,
        warm_up=[],
        rounds=rounds,
        steady=True,
        facts={"first_batch_s": 0.1, "pss_bytes": 1e8, "operators": 31.0, "parameters": 100.0},
        block=index,
    )


def made_up(questions: list[Question], seed: str) -> Run:
    """A run in which a random subset of variants failed: from the beginning, or after a block or two."""
    draw, rng = random.Random(seed), np.random.default_rng(len(seed))
    blocks: dict[str, list[Block]] = {}
    failures: dict[str, Failure] = {}
    groups = [group for question in questions for group in question.groups()]
    for group in groups:
        share = draw.choice((0.0, 0.2, 0.5, 0.9, 1.0))
        ends = {v: draw.randrange(BLOCKS) if draw.random() < share else BLOCKS for v in group.cases}
        if draw.random() < 0.3:  # as likely as all others together
            ends[group.baseline] = draw.randrange(BLOCKS)
        for variant, end in ends.items():
            if end < BLOCKS:
                case, why = group.cases[variant].name, draw.choice(("crashed", "hung: no answer within 10 s"))
                failures[case] = Failure(case=case, reason=why, last_lines=["so it said"])
        blocks[group.name] = [
            Block(
                group=group.name,
                invocation=0,
                index=index,
                seconds=1.0,
                set_ups={v: set_up(group, v, index, rng) for v, end in ends.items() if index < end},
            )
            for index in range(BLOCKS)
        ]
    results = {g.name: measured(g.cases, g.baseline, blocks[g.name], g.also) for g in groups}
    return Run(
        name="made-up.json",
        machine=MACHINE,
        ceilings=CEILINGS,
        measured=results,
        blocks=blocks,
        baselines={group.name: group.baseline for group in groups},
        failures=list(failures.values()),
        answers=[answer(q, q.groups(), results, blocks, failures) for q in questions],
        advice=advice_of(results),
    )


def contradictions(run: Run, questions: list[Question]) -> list[str]:
    """Sentences about baselines that the tables of the same run belie, and tables that no sentence heeds."""
    found = []
    tried = run.measured.keys() | {failure.case.rpartition("/")[0] for failure in run.failures}
    for question in questions:
        groups = [group for group in question.groups() if group.name in tried]
        lost = [group.part for group in groups if group.baseline not in run.measured.get(group.name, {})]
        said = [s for each in run.answers if each.question == question.name for s in each.sentences]
        told = [m[1].split(", ") for m in map(IN_PART.match, said) if m]
        if (NOTHING in said) != (bool(groups) and len(lost) == len(groups)):
            found.append(f"{question.name}: lost is {lost} of {len(groups)}, said is {said[:1]}")
        if told and (told != [lost] or len(lost) == len(groups)):
            found.append(f"{question.name}: lost is {lost}, told {told}")
        if lost and not told and NOTHING not in said:
            found.append(f"{question.name}: {lost} is not told")
        if groups and not said:
            found.append(f"{question.name}: nothing is said")
    return found


def written(run: Run, path: Path) -> Run:
    """The run as a file tells it, its sentences made anew."""
    rows = [
        {"stats": {}, "extra_info": {BLOCK: entry(run, group, variant)}}
        for group, variants in run.measured.items()
        for variant in variants
    ]
    path.write_text(json.dumps({"benchmarks": rows, BLOCK: header(run)}))
    return read_run(path)


@pytest.mark.parametrize("whose", asked())
def test_no_sentence_says_of_a_baseline_what_a_table_belies(whose: str, tmp_path: Path) -> None:
    told = set()
    for number in range(8):
        run = made_up(asked()[whose], f"{whose} {number}")
        assert contradictions(run, asked()[whose]) == [], number
        kept = written(run, tmp_path / "run.json")
        anew = with_answers_anew(kept, asked()[whose])
        assert contradictions(anew, asked()[whose]) == [], number
        for one, other in zip(run.answers, anew.answers, strict=False):
            if any(group.startswith(f"{one.question}/") for group in kept.measured):
                assert [s for s in one.sentences if "cores" not in s] == [
                    s for s in other.sentences if "cores" not in s
                ], number
        told |= {NOTHING in each.sentences for each in run.answers}
    assert told == {True, False}


@pytest.mark.parametrize("whose", asked())
@pytest.mark.parametrize("number", range(3))
def test_every_format_tells_the_same_of_it(whose: str, number: int) -> None:
    run = made_up(asked()[whose], f"{whose} {number}")
    page = run_page(run)
    tables = [t for section in json.loads(formats.text(page, "json"))["sections"] for t in section["tables"]]
    there = {f"{table['title']}/{row[0]}" for table in tables for row in table["rows"]}
    there |= {"/".join(row[:2]) for row in csv.reader(io.StringIO(formats.text(page, "csv")))}
    assert there & {f"{group}/{run.baselines[group]}" for group in run.measured}
    for each in run.answers:
        if NOTHING in each.sentences:
            groups = [name for name in run.measured if name.startswith(f"{each.question}/")]
            assert not {f"{name}/{run.baselines[name]}" for name in groups} & there
    for form in ("terminal", "markdown", "html"):
        for shown in (page, brief(page)):
            told = re.sub(r"\\|<wbr>", "", formats.text(shown, form))
            assert told.count(NOTHING) == sum(NOTHING in each.sentences for each in run.answers), form
