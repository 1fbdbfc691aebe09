"""The pytest plugin: gathers what the benchmark modules declare, measures it all under one budget,
and hands each variant's interleaved samples to pytest-benchmark.

``pytest bench`` works as a user of pytest-benchmark expects: ``-k``, ``--benchmark-json``,
``--benchmark-save``, ``--benchmark-compare`` and the rest. Measuring happens when the first
selected variant is about to run, so that ``--collect-only`` measures nothing.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.records.defaults import BUDGET, QUICK_BUDGET, SEED
from mtl_core.errors import UserError, too_many_files

if TYPE_CHECKING:
    from bench.harness.session import Session
    from bench.questions.plan import Group
    from bench.questions.question import Question
    from bench.records.run import Case, Run, SetUp

FIXTURE = "measured_variant"
LOST = (
    "stopped: what was measured so far is lost under pytest; "
    "python -m bench run keeps a journal, with which --resume goes on"
)
OUTCOME: pytest.StashKey[Run] = pytest.StashKey()
REFUSED: pytest.StashKey[UserError] = pytest.StashKey()  # what the user has to mend
BROKEN: pytest.StashKey[Exception] = pytest.StashKey()  # a fault of ours
SESSION: pytest.StashKey[Session] = pytest.StashKey()
QUESTIONS: pytest.StashKey[list[Question]] = pytest.StashKey()  # asked in place of the modules' own
BEGUN: pytest.StashKey[bool] = pytest.StashKey()  # measuring
DECLARED: pytest.StashKey[dict[str, tuple[Question, Group, Case]]] = pytest.StashKey()  # by the case's name


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a run under plain pytest."""
    group = parser.getgroup("mtl-bench", "interleaved benchmarks of the multi-task network")
    group.addoption(
        "--mtl-budget",
        help=f"time for all that is selected, such as 90s; {BUDGET} without, {QUICK_BUDGET} for a quick run",
    )
    group.addoption("--mtl-quick", action="store_true", help="fewer variants where a question has many")
    group.addoption("--mtl-seed", type=int, default=SEED, help="seed of the random order of rounds")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """A conftest that imports MXNet by itself costs one line, which says what to write in its place."""
    try:
        return (yield)
    except Exception as error:
        line = about_mxnet(error)
        if line is None:
            raise
        raise pytest.UsageError(line) from None


def about_mxnet(error: Exception) -> str | None:
    """What to do where a conftest failed as MXNet was imported without what NumPy removed; else None."""
    cause = error.__cause__
    if not isinstance(cause, AttributeError):
        return None
    files = [Path(frame.filename).parts for frame in traceback.extract_tb(cause.__traceback__)]
    if not any("mxnet" in parts for parts in files):
        return None
    reason = str(cause).partition("\n")[0].rstrip(".")
    return (
        f"{getattr(error, 'path', 'a conftest.py')}: import mxnet fails on this NumPy ({reason}): write "
        "from mtl_core.platform.mxnet import mx in its place, which supplies what NumPy removed"
    )


@pytest.hookimpl(trylast=True)  # xdist and pytest-benchmark have read their options by then
def pytest_configure(config: pytest.Config) -> None:
    """Refuse what cannot be measured, before anything is collected."""
    if config.getoption("--mtl-budget") is not None:
        budget_s(config.getoption)
    if not _asks_for_benchmarks(config):
        return
    _check_plugin(config)
    if config.getoption("dist", "no") != "no":
        raise pytest.UsageError(
            "benchmarks run on one machine at a time, xdist's workers would disturb each other: "
            "leave out -n, or give -n 0"
        )


def _check_plugin(config: pytest.Config) -> None:
    """Refuse what pytest-benchmark would fail at once everything is measured, and to go without it."""
    if not hasattr(config.option, "benchmark_json"):
        raise pytest.UsageError("the benchmarks need pytest-benchmark: leave out -p no:benchmark")
    from mtl_core.program.files import check_place

    given = config.getoption("benchmark_json", None)
    place = given if isinstance(given, (str, Path)) else getattr(given, "name", None)  # a file by its version
    try:
        if place is not None:
            check_place(Path(place), "--benchmark-json")
    except UserError as error:
        raise pytest.UsageError(str(error)) from None


def _asks_for_benchmarks(config: pytest.Config) -> bool:
    """Whether a path given lies where the benchmarks are, or is the folder above them."""
    here = Path(__file__).parent.resolve()
    paths = [(config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args]
    return any(path == here or here in path.parents for path in paths)


def budget_s(option: Callable[[str], Any]) -> float:
    """Seconds, by the options given; raises UsageError for what is no time."""
    from bench.questions.durations import parse_duration

    given = option("--mtl-budget")
    try:
        default = QUICK_BUDGET if option("--mtl-quick") else BUDGET
        return parse_duration(default if given is None else given, "--mtl-budget")
    except UserError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a variant, with the stable identifier that histories hang on."""
    if FIXTURE not in metafunc.fixturenames:
        return
    questions = metafunc.config.stash.get(QUESTIONS, None) or [metafunc.module.QUESTION]
    asked = _session(metafunc.config).asked
    groups = [(question, group) for question in questions for group in question.groups(asked)]
    declared = {
        case.name: (question, group, case) for question, group in groups for case in group.cases.values()
    }
    metafunc.config.stash.setdefault(DECLARED, {}).update(declared)
    # By name alone: pytest-benchmark writes a parameter to the file, and heads its tables with it.
    metafunc.parametrize(FIXTURE, list(declared), ids=list(declared), indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is asked by its name alone, unless its file or an expression names it."""
    if QUESTIONS in config.stash:
        return
    words = set(re.findall(r"\w+", config.getoption("-k")))
    named = {Path(arg.partition("::")[0]).name for arg in config.args}

    def chosen(item: pytest.Item) -> bool:
        if FIXTURE not in getattr(item, "fixturenames", ()):  # a test of somebody's that has a question
            return True
        question = getattr(getattr(item, "module", None), "QUESTION", None)
        by_name = getattr(question, "by_name", False)
        return not by_name or item.path.name in named or getattr(question, "name", "") in words

    left_out = [item for item in items if not chosen(item)]
    if left_out:
        items[:] = [item for item in items if chosen(item)]
        config.hook.pytest_deselected(items=left_out)


def _session(config: pytest.Config) -> Session:
    from bench.harness.lines import Lines
    from bench.harness.session import Session
    from bench.questions.question import Asked

    if SESSION not in config.stash:
        config.stash[SESSION] = Session(
            show=Lines(_line_of(config)),
            say=_line_of(config),
            budget_s=budget_s(config.getoption),
            seed=config.getoption("--mtl-seed"),
            asked=Asked(quick=config.getoption("--mtl-quick")),
        )
    return config.stash[SESSION]


def _line_of(config: pytest.Config) -> Callable[[str], None]:
    """Tells a line while measuring happens, which is as the first test seems to run."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")  # it keeps what a test prints

    def say(line: str) -> None:
        if reporter is not None and reporter.verbosity >= 0:
            with capture.global_and_fixture_disabled() if capture else nullcontext():
                reporter.ensure_newline()
                reporter.line(line)

    return say


def _outcome(session: pytest.Session) -> Run:
    """Measure what is selected, once."""
    config = session.config
    if OUTCOME not in config.stash:
        items = [item for item in session.items if FIXTURE in getattr(item, "fixturenames", ())]
        chosen = [config.stash[DECLARED][item.callspec.params[FIXTURE]] for item in items]  # type: ignore[attr-defined]
        questions = {question.name: question for question, _, _ in chosen}
        parts = {group.name for _, group, _ in chosen}
        if BROKEN in config.stash:
            raise config.stash[BROKEN]  # not measured again for every variant
        config.stash[BEGUN] = True
        try:
            config.stash[OUTCOME] = _session(config).measure(list(questions.values()), parts)
        except Exception as error:
            refused = error if isinstance(error, UserError) else too_many_files(error)
            if refused is not None:
                config.stash[REFUSED] = refused
                pytest.exit(f"error: {refused}", returncode=2)
            config.stash[BROKEN] = error
            raise
    return config.stash[OUTCOME]


class ReplayedClock:
    """A timer whose differences are the rounds that were measured."""

    def __init__(self, seconds: list[float]) -> None:
        self.times: Iterator[float] = iter([t for duration in seconds for t in (0.0, duration)])

    def __call__(self) -> float:
        return next(self.times)


def _replay(benchmark: Any, set_ups: list[SetUp]) -> None:
    """Give pytest-benchmark the rounds as if it had timed them, one iteration each."""
    rounds = [r.iteration_s for set_up in set_ups for r in set_up.rounds]
    benchmark._timer = ReplayedClock(rounds)
    benchmark.pedantic(lambda: None, rounds=len(rounds), iterations=1)


@pytest.fixture
def measured_variant(request: pytest.FixtureRequest, benchmark: Any) -> Callable[[], None]:
    """Hands the variant's samples to pytest-benchmark; skips with the reason where there are none.

    ``benchmark`` stands in the signature, since --benchmark-only skips tests that do not ask for it.
    """
    question, group, case = request.config.stash[DECLARED][request.param]
    benchmark.group = group.name

    def hand_over() -> None:
        from bench.results.run_file import BLOCK, entry

        disabled = "" if benchmark.enabled else "benchmarks are disabled, so that nothing is measured"
        reason = disabled or question.skipped()
        if reason:
            benchmark.skipped = True
            pytest.skip(reason)
        benchmark.skipped = True  # until there is something: else pytest-benchmark misses it after Ctrl-C
        run = _outcome(request.session)
        set_ups = [b.set_ups[case.variant] for b in run.blocks[group.name] if case.variant in b.set_ups]
        if set_ups:  # those from before a failure too: the file's verdicts are those of all that was measured
            benchmark.skipped = False
            _replay(benchmark, set_ups)
            benchmark.extra_info[BLOCK] = entry(run, group.name, case.variant)
        elif not run.blocks[group.name]:
            pytest.skip("left out: the budget had no room for it")
        for failure in run.failures:
            if failure.case == case.name:
                benchmark.skipped = True  # so that pytest-benchmark does not miss a measurement
                pytest.fail("\n".join([f"{case.name}: {failure.reason}", *failure.last_lines]), pytrace=False)

    return hand_over


def noise_floor(run: Run, question: str) -> list[str]:
    """A line a part that has a control: the baseline against itself."""
    from reports.pages.run import noise_floors

    names = [name.partition("/") for name in run.measured]
    return list(noise_floors({part: run.measured[f"{of}/{part}"] for of, _, part in names if of == question}))


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """The answers, and what to mind about them: pytest-benchmark's table alone tells neither."""
    run = config.stash.get(OUTCOME, None)
    if run is None:
        if exitstatus == pytest.ExitCode.INTERRUPTED and config.stash.get(BEGUN, False):
            terminalreporter.line(LOST)
        return
    terminalreporter.section("mtl-bench")
    for line in run.warnings:
        terminalreporter.line(f"! {line}")
    for answer in run.answers:
        terminalreporter.line(answer.asks)
        warned = [f"! {warning}" for warning in answer.warnings]
        for line in (*answer.sentences, *noise_floor(run, answer.question), *warned):
            terminalreporter.line(f"  {line}")


@pytest.hookimpl(optionalhook=True)  # it may be switched off
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Our block at the top of the file."""
    if OUTCOME in config.stash:
        from bench.results.run_file import BLOCK, header

        output_json[BLOCK] = header(config.stash[OUTCOME])


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the workers, whatever happened."""
    if SESSION in config.stash:
        config.stash[SESSION].close()
