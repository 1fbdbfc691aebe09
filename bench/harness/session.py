"""One run: machine, schedule, journal and answers put together; used by the plugin and the commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec

from bench.answers.answer import answer
from bench.answers.settings import advice_of
from bench.answers.whole_run import calm_share, warnings_about_run
from bench.harness.counting import with_operators
from bench.harness.least import Least, least
from bench.harness.peers import start_worker
from bench.harness.pool import WorkerPool, silence_for
from bench.harness.rounds import LEAD_IN, Harness
from bench.harness.schedule import Progress, Schedule
from bench.machine.changes import SUITE, changes_of
from bench.machine.identity import code, collect, measure_ceilings, sources
from bench.machine.interpreter import versions
from bench.machine.weather import LOOKS, counters, warnings_about, weather_between, weather_together
from bench.questions.plan import Group
from bench.questions.question import AS_DECLARED, Asked, Question
from bench.records.changes import Changes
from bench.records.run import Answer, Block, Case, Machine, Measured, Run, Weather
from bench.results.costs import asked_in_words, costs_elsewhere, keep_costs, read_costs
from bench.results.journal import VARIANTS, Identity, Journal, JournalLine, read_journal
from bench.stats.measured import measured
from bench.workloads.declared import project
from mtl_core.errors import UserError
from mtl_core.platform.memory import family_memory
from mtl_core.program.files import NotWrittenError


def cases_in_words(groups: list[Group]) -> dict[str, str]:
    """All that says how the groups are measured, such as ``data of drift/epoch``: what a file edited or
    a data set found between two parts of a run changes without an option."""
    words = {}
    for group in groups:
        cases = list(group.cases.values())
        words[f"{VARIANTS}{group.name}"] = ", ".join(group.cases)
        words[f"baseline of {group.name}"] = group.baseline
        words |= {f"{name} of {group.name}": str(value) for name, value in asdict(group.plan).items()}
        words[f"workload of {group.name}"] = _alike_or_each([case.workload for case in cases])
        words |= _named_of(group.name, cases, lambda case: case.settings)
        words |= _named_of(group.name, cases, lambda case: case.environment)
    return words


def _named_of(group: str, cases: list[Case], of: Callable[[Case], Mapping[str, object]]) -> dict[str, str]:
    names = sorted({name for case in cases for name in of(case)})
    return {f"{n} of {group}": _alike_or_each([str(of(c).get(n, "unset")) for c in cases]) for n in names}


def _alike_or_each(values: list[str]) -> str:
    """The value, told once where all variants have the same."""
    return values[0] if len(set(values)) == 1 else ", ".join(values)


def _seconds_a_set_up(blocks: list[Block]) -> float:
    return sum(block.seconds for block in blocks) / len(blocks)


class PeakMemory:
    """The most memory that this process and its workers had at once, shared pages counted once.

    Looked at while a group is set up for the first times, since later set-ups need as much again.
    """

    LOOKS = 2  # a group

    def __init__(self) -> None:
        self.peak_bytes: int | None = None
        self.looks: Counter[str] = Counter()

    def __call__(self, group: str) -> None:
        self.looks[group] += 1
        if self.looks[group] <= self.LOOKS:
            held = family_memory().held_bytes
            self.peak_bytes = held if self.peak_bytes is None else max(held, self.peak_bytes)


@dataclass
class Session:
    """The settings of a run and its workers."""

    budget_s: float
    seed: int = 0
    journal_path: Path | None = None
    resume: bool = False
    asked: Asked = AS_DECLARED
    show: Callable[[Progress], None] = lambda progress: None
    project: Path | None = None  # a folder of the repository of somebody's network
    keep_diff: bool = False  # how the source differs from its revision, in the results
    costs: Path | None = None  # where seconds a set-up are kept from run to run
    say: Callable[[str], None] = lambda line: None  # a line that the reader should see at once
    journal: Journal | None = field(init=False, default=None)  # held until the results are written
    harness: Harness = field(init=False)
    memory: PeakMemory = field(init=False)
    weather: Callable[..., Weather] = field(init=False)

    def __post_init__(self) -> None:
        self.memory = PeakMemory()
        silence_s = silence_for(self.budget_s)
        self.harness = Harness(
            self.seed, pool=lambda: WorkerPool(start_worker, silence_s), observe=self.memory, lead_in=LEAD_IN
        )

    def settings(self, groups: list[Group]) -> dict[str, str]:
        """What a resumed run must have in common with the interrupted one."""
        return {
            "budget": f"{self.budget_s:g}s",
            "seed": str(self.seed),
            "groups": ",".join(sorted(group.name for group in groups)),
            "quick": str(self.asked.quick),
            **{name: str(value) for name, value in self.asked.settings.items()},
            **self.asked.environment,
        }

    def measure(self, questions: Sequence[Question], parts: Collection[str] | None = None) -> Run:
        """Ask the questions within the budget; each finished block is in the journal at once.

        ``parts`` are the groups to measure by name, such as ``hybridize/step``; all without.
        """
        groups = self._groups(questions, parts)
        machine = collect()
        changes = self._changes()
        done = self._take_journal(self._identity(machine, groups))
        self.weather = self._weather_since(done, machine.load)
        asked_here, left_out = asked_in_words(machine.class_key, self.settings(groups)), list[str]()
        schedule = self._schedule(groups, done, self._costs_of(asked_here, groups, done), left_out.append)
        try:
            ceilings = measure_ceilings(self.asked.environment)
            blocks = schedule.run()
        except BaseException:  # what was finished is there to go on with
            self.close_journal()
            raise
        finally:
            self.harness.close()
        groups = self._begun(groups, blocks, asked_here)
        uncounted = [line for group in groups for line in self._count(group, blocks)]
        weather = msgspec.structs.replace(
            self.weather(schedule.spent_s(), LOOKS), calm_share=calm_share(groups, blocks)
        )
        results = {g.name: measured(g.cases, g.baseline, blocks[g.name], g.also) for g in groups}
        return Run(
            name="",
            measured_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            machine=machine,
            ceilings=ceilings,
            settings=self.settings(groups),
            blocks=blocks,
            baselines={group.name: group.baseline for group in groups},
            measured=results,
            answers=self._answers(questions, results, blocks),
            failures=list(self.harness.failures.values()),
            spent_s=schedule.spent_s(),
            advice=advice_of(results),
            declared=self.asked.task,
            changes=changes,
            weather=weather,
            warnings=[
                *left_out,
                *warnings_about_run(groups, blocks, schedule.spent_s(), self.budget_s),
                *warnings_about(machine, weather, self.asked.environment),
                *uncounted,
            ],
        )

    def _groups(self, questions: Sequence[Question], parts: Collection[str] | None) -> list[Group]:
        groups = []
        for question in questions:
            if question.skipped() is None:
                question.check(self.asked)
                groups += [g for g in question.groups(self.asked) if parts is None or g.name in parts]
        return groups

    def _costs_of(self, asked: str, groups: list[Group], done: list[JournalLine]) -> dict[str, float]:
        """What set-ups took here before, by group.

        Where nothing is known the budget is held against what another machine needed, which is only said:
        the first set-ups tell what is left out here.
        """
        if self.costs is None:
            return {}
        cost_s = read_costs(self.costs, asked)
        if not cost_s and not done:
            machine, elsewhere_s = costs_elsewhere(self.settings(groups))
            lacking = least(groups, elsewhere_s, {}, 0.0, self.budget_s)
            if lacking is not None:
                self.say(lacking.in_words(self.budget_s, self.asked.quick, machine))
        return cost_s

    def _begun(self, groups: list[Group], blocks: dict[str, list[Block]], asked: str) -> list[Group]:
        """The groups that the budget had room for; what their set-ups took is kept for the next run."""
        begun = [group for group in groups if blocks[group.name]]
        if self.costs:
            keep_costs(self.costs, asked, {g.name: _seconds_a_set_up(blocks[g.name]) for g in begun})
        return begun

    def _identity(self, machine: Machine, groups: list[Group]) -> Identity:
        here = Path(__file__).parents[1]
        return Identity(
            machine=machine.class_key,
            revision=str(machine.source),
            settings={**self.settings(groups), **machine.environment, "python": machine.python},
            cases=cases_in_words(groups),
            code={**code(here), **code(here.parent / "mtl_core")},
            versions=versions(),
            project=sources(project()) if self.asked.task else {},
        )

    def _weather_since(self, done: list[JournalLine], load: float | None) -> Callable[..., Weather]:
        """Tells the weather of the run from its first part on, given the seconds spent."""
        before = msgspec.structs.replace(counters(looks=1), load=load)
        earlier = next((line for line in reversed(done) if line.weather), None)

        def weather(spent_s: float, looks: int = 1) -> Weather:
            now = weather_between(before, counters(looks=looks), self.memory.peak_bytes)
            if earlier is None or earlier.weather is None:
                return now
            return weather_together(earlier.weather, earlier.spent_s, now, spent_s - earlier.spent_s)

        return weather

    def _answers(
        self,
        questions: Sequence[Question],
        results: dict[str, dict[str, Measured]],
        blocks: dict[str, list[Block]],
    ) -> list[Answer]:
        """An answer a question; why there is none where nothing can be measured here."""
        answers = []
        for question in questions:
            reason = question.skipped()
            if reason is None and not any(group.name in results for group in question.groups(self.asked)):
                reason = "the budget had no room for it; a larger --budget has, or naming it alone"
            if reason is None:  # all parts, the unselected too
                groups, failures = question.groups(self.asked), self.harness.failures
                answers.append(answer(question, groups, results, blocks, failures))
            else:
                why = f"Not measured here: {reason}."
                answers.append(Answer(question=question.name, asks=question.asks, sentences=[why]))
        return answers

    def _count(self, group: Group, blocks: dict[str, list[Block]]) -> list[str]:
        """Add the operators where the question wants them; what was timed is not lost when that fails."""
        if not group.counted or not blocks[group.name]:
            return []
        try:
            blocks[group.name] = with_operators(group, blocks[group.name])
        except UserError as error:
            return [f"{group.name}: operators were not counted ({error})"]
        return []

    def _changes(self) -> Changes | None:
        """How what is measured differs from its revision, before anything is."""
        of: Literal["suite", "network"] = "suite" if self.project is None else "network"
        return changes_of(self.project or SUITE, of, keep_diff=self.keep_diff)

    def _take_journal(self, identity: Identity) -> list[JournalLine]:
        """Hold the journal from here on; what an interrupted run had finished in it."""
        if self.journal_path is None:
            return []
        done = read_journal(self.journal_path, identity) if self.resume else []
        self.journal = Journal(self.journal_path, identity, new=not self.resume, say=self._say_moved)
        return done

    def _say_moved(self, line: str, _place: Path) -> None:
        self.say(f"{line}; the journal goes on there")

    def _keep(self, *lines: JournalLine) -> None:
        """Put into the journal what was finished; where no place takes it the run goes on without one."""
        journal = self.journal
        if journal is None:
            return
        try:
            for line in lines:
                journal.add(line)
        except NotWrittenError as error:
            self.say(f"{error}: what is measured from here on is lost if the run is interrupted")
            journal.close()
            self.journal = None

    def _schedule(
        self,
        groups: list[Group],
        done: list[JournalLine],
        cost_s: Mapping[str, float],
        warn: Callable[[str], None],
    ) -> Schedule:
        blocks: dict[str, list[Block]] = {}
        for line in done:
            if line.block:
                blocks.setdefault(line.block.group, []).append(line.block)
            if line.failure:
                self.harness.failures[line.failure.case] = line.failure
        if done:
            self.harness.go_on_after([line.block for line in done if line.block])
        kept = set(self.harness.failures)

        def finished(block: Block) -> None:
            failed = sorted(self.harness.failures.keys() - kept)
            kept.update(failed)
            spent = schedule.spent_s()
            self._keep(
                *(JournalLine(failure=self.harness.failures[name]) for name in failed),
                JournalLine(block=block, spent_s=spent, weather=self.weather(spent)),
            )

        def leaves_out(lacking: Least) -> None:
            line = lacking.in_words(self.budget_s, self.asked.quick)
            self.say(line)
            warn(line)

        schedule = Schedule(
            groups=groups,
            budget_s=self.budget_s,
            measure=self.harness.measure,
            next_invocation=self.harness.next_invocation,
            failures=self.harness.failures,
            finished=finished,
            show=self.show,
            spent_before_s=max((line.spent_s for line in done), default=0.0),
            blocks=blocks,
            cost_s=cost_s,
            leaves_out=leaves_out,
        )
        return schedule

    def close(self) -> None:
        self.harness.close()

    def close_journal(self) -> None:
        """Nobody needs it to be held any more."""
        if self.journal:
            self.journal.close()
