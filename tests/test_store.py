"""Files are whole or not there, and a run is resumed only into what it was."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.questions.durations import parse_duration
from bench.records.run import Block, Failure
from bench.results.journal import Identity, Journal, JournalLine, finished_in, read_journal
from mtl_core.errors import UserError
from mtl_core.program.files import write_whole

IDENTITY = Identity(
    machine="cpu | 2 cores",
    revision="abc",
    settings={"seed": "0", "budget": "300s"},
    cases={"data of drift/epoch": "synthetic", "variants of q/p": ""},
    code={"bench/a.py": "12", "bench/b.py": "34"},
    versions={"numpy": "1.26.4"},
)


def block(index: int) -> Block:
    return Block(group="q/p", invocation=0, index=index, seconds=1.0, set_ups={})


def journal_with(path: Path, *lines: JournalLine) -> None:
    journal = Journal(path, IDENTITY)
    for line in lines:
        journal.add(line)
    journal.close()


def test_what_was_finished_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    lines = [
        JournalLine(block=block(0), spent_s=1.5),
        JournalLine(failure=Failure(case="a", reason="b", last_lines=[])),
    ]
    journal_with(path, *lines)
    assert read_journal(path, IDENTITY) == lines


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_last_line_cut_off_is_left_out_and_the_journal_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "run.journal"
    journal_with(path, JournalLine(block=block(0)), JournalLine(block=block(1)))
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_journal(path, IDENTITY) == [JournalLine(block=block(0))]
    journal_with(path, JournalLine(block=block(2)))
    assert read_journal(path, IDENTITY) == [JournalLine(block=block(0)), JournalLine(block=block(2))]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"machine": "other | 4 cores"}, "machine was cpu | 2 cores, is other | 4 cores"),
        ({"revision": "def"}, "revision was abc, is def"),
        ({"settings": {"seed": "1", "budget": "300s"}}, "seed was 0, is 1"),
        ({"cases": {"data of drift/epoch": "mnist"}}, "data of drift/epoch was synthetic, is mnist"),
        ({"cases": {}}, "data of drift/epoch was synthetic, is unset"),
        ({"code": {"bench/a.py": "13", "bench/b.py": "34"}}, "changed since: bench/a.py;"),
        ({"code": {"bench/a.py": "12"}}, "changed since: bench/b.py;"),
        ({"code": {}, "cases": {}}, "is unset; changed since: bench/a.py, bench/b.py;"),
        ({"versions": {"numpy": "2.1"}}, "numpy was 1.26.4, is 2.1"),
        (
            {"code": {f"bench/{n}.py": "1" for n in range(20)}},
            "bench/11.py, bench/12.py, 17 more",
        ),
    ],
)
def test_unlike_runs_are_not_mixed(tmp_path: Path, changed: dict[str, object], named: str) -> None:
    path = tmp_path / "run.journal"
    journal_with(path, JournalLine(block=block(0)))
    now = msgspec.structs.replace(IDENTITY, **changed)
    with pytest.raises(UserError) as refused:
        read_journal(path, now)
    assert named in str(refused.value)


def test_other_settings_do_not_tell_of_the_cases_that_follow_from_them(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    journal_with(path, JournalLine(block=block(0)))
    others = {f"data of drift/{n}": "synthetic" for n in range(70)}
    settings = {**IDENTITY.settings, "groups": "q/p"}
    now = msgspec.structs.replace(IDENTITY, settings=settings, cases=others, versions={"numpy": "2.1"})
    with pytest.raises(UserError) as refused:
        read_journal(path, now)
    assert ": groups was unset, is q/p; numpy was 1.26.4, is 2.1; run without" in str(refused.value)


@pytest.mark.parametrize(("lines", "cut", "finished"), [(0, 0, False), (1, 0, True), (1, 5, False)])
def test_a_journal_tells_whether_anything_was_finished(
    tmp_path: Path, lines: int, cut: int, finished: bool
) -> None:
    path = tmp_path / "run.journal"
    journal_with(path, *[JournalLine(block=block(n)) for n in range(lines)])
    path.write_bytes(path.read_bytes()[: -cut or None])
    assert finished_in(path) == finished


@pytest.mark.parametrize("content", [b"", b"not json\n", b"[1, 2]\n", b"\xff\xfe\n", b"{}\n"])
def test_a_file_that_is_no_journal_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.journal"
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_journal(path, IDENTITY)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    write_whole(target, lambda file: file.write(b"old"), "--json")

    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mtl_core.platform.on_disk.os.fsync", full_disk)
    with pytest.raises(UserError, match="No space"):
        write_whole(target, lambda file: file.write(b"new"), "--json")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("5m", 300.0), ("0.5h", 1800.0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "0s", "5 minutes"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected a time above zero"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("90", "90s"),
        ("1M", "1m"),
        ("1h30m", "90m"),
        ("1m 30s", "90s"),
        ("5 minutes", "5m"),
        ("0.5 hours", "30m"),
        ("2hrs", "2h"),
        ("90sec", "90s"),
    ],
)
def test_a_duration_that_is_nearly_one_is_guessed(text: str, near: str) -> None:
    with pytest.raises(UserError, match=f"; did you mean {near}\\?$"):
        parse_duration(text)
    assert parse_duration(near) > 0


@pytest.mark.parametrize("text", ["soon", "", "-5m", "0", "0 minutes", "5 weeks", "9" * 400])
def test_what_may_mean_anything_is_not_guessed(text: str) -> None:
    with pytest.raises(UserError, match=r"such as 90s, 5m or 1h$"):
        parse_duration(text)
