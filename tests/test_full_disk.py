"""What was measured is never lost for want of a place: it is kept where there is room, and said."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.commands import measuring, regress
from bench.commands import trust as trust_command
from bench.commands.formats import format_named
from bench.commands.measuring import Files
from bench.records.profile import Profile
from bench.records.regression import Regression
from bench.records.run import Case, Run
from bench.results.growing import GrowingFile
from bench.results.profile_file import read_profile
from bench.results.recording_file import Head, opened
from bench.results.work_file import GOLDEN, read_golden
from bench.trust.variants import TUTORIAL
from bench.workloads.inference import exporting
from mtl_core.errors import UserError
from mtl_core.program import files
from mtl_core.program.files import NotWrittenError
from tests.full_disk import fill, left_in
from tests.recordings import HEAD as RECORDED
from tests.recordings import kept_in, units
from tests.test_profiles import PROFILE

RUN = Run(name="")
DOCUMENT: dict[str, Any] = {"benchmarks": [1]}


def kept_by(line: str) -> Path:
    """Where a complaint says that something is kept."""
    return Path(line.partition("it is kept as ")[2].split(";")[0].strip())


def of_a_run(folder: Path, name: str | None = "result.json") -> Files:
    return Files(
        folder / name if name else None, folder / "run.journal", False, lambda there: f"again {there}"
    )


def test_lines_that_a_disk_has_no_room_for_move_with_those_before_them(full: Path) -> None:
    said: list[str] = []
    lines = GrowingFile(full / "lines", "--file", lambda line, _place: said.append(line))
    lines.add(b"first")
    fill(full)
    lines.add(b"x" * 5000)
    lines.add(b"last")
    lines.close()
    assert left_in(full) == []
    assert lines.path.read_bytes().splitlines() == [b"first", b"x" * 5000, b"last"]
    (line,) = said
    assert line.startswith(f"--file {full}/lines could not be written (No space left on device)")
    assert kept_by(line) == lines.path


def test_the_results_of_a_run_are_kept_and_its_journal_is_needed_no_more(full: Path) -> None:
    fill(full)
    outcome = measuring._kept(RUN, DOCUMENT, of_a_run(full), full / "run.journal")
    assert outcome.measured and outcome.place is not None and outcome.lost is not None
    assert json.loads(outcome.place.read_bytes()) == DOCUMENT
    assert kept_by(outcome.lost) == outcome.place
    assert left_in(full) == []


def test_with_room_nowhere_the_journal_is_what_is_left(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(full)
    monkeypatch.setattr(files, "_with_room", lambda: iter(()))
    outcome = measuring._kept(RUN, DOCUMENT, of_a_run(full), full / "run.journal")
    assert outcome.measured and outcome.place is None and outcome.lost is not None
    assert outcome.lost.endswith(f"is in {full}/run.journal: make room, then again {full}/run.journal")
    assert left_in(full) == []


def test_two_runs_of_one_second_write_over_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measuring.time, "strftime", lambda pattern: "20261126-120000")
    ready = threading.Barrier(8)

    def write(number: int) -> None:
        ready.wait()
        places[number] = of_a_run(tmp_path, None).write(b"%d" % number)

    places: dict[int, Path] = {}
    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {number: place.read_bytes() for number, place in places.items()} == {
        n: b"%d" % n for n in range(8)
    }
    names = sorted(place.name for place in places.values())
    assert names == sorted(["20261126-120000.json", *(f"20261126-120000-{n}.json" for n in range(2, 9))])


def test_two_profiles_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    target = tmp_path / "profile"
    with files.folder_to_fill(target, "-o", new=True) as (_, first):
        with files.folder_to_fill(target, "-o", new=True) as (_, second):
            assert second(lambda place: (place / "x").write_text("second")) == target
        assert first(lambda place: (place / "x").write_text("first")) == tmp_path / "profile-2"
    assert [(tmp_path / name / "x").read_text() for name in ("profile", "profile-2")] == ["second", "first"]


def test_two_that_begin_at_once_never_share_a_growing_file(tmp_path: Path) -> None:
    first = GrowingFile(tmp_path / "run.journal", "--journal")
    with pytest.raises(UserError, match="belongs to a run that is under way"):
        GrowingFile(tmp_path / "run.journal", "--journal")
    first.add(b"mine")
    (tmp_path / "run.journal").rename(tmp_path / "run.journal.old.1")  # as another run puts it aside
    second = GrowingFile(tmp_path / "run.journal", "--journal")
    second.add(b"theirs")
    second.close()
    first.close()
    assert (tmp_path / "run.journal.old.1").read_bytes() == b"mine\n"
    assert (tmp_path / "run.journal").read_bytes() == b"theirs\n"


def test_a_profile_is_kept_whole(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def profiled(_case: Case, folder: Path, **_options: object) -> Profile:
        (folder / "flamegraph.svg").write_text("<svg></svg>", encoding="utf-8")
        fill(full)
        return PROFILE

    monkeypatch.setattr("bench.profile.session.profile", profiled)
    done = CliRunner().invoke(app, ["profile", "-o", str(full / "profiled")])
    assert isinstance(done.exception, NotWrittenError)
    kept = kept_by(str(done.exception))
    assert read_profile(kept) == PROFILE
    assert (kept / "flamegraph.svg").exists() and (kept / "profile.html").exists()
    assert f"Profile: {kept}" in done.stdout
    assert left_in(full) == []


def test_a_recording_goes_on_elsewhere(
    full: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = units(4)

    class Made:
        def __init__(self, *_: object, **__: object) -> None:
            self.left = list(made)

        def unit(self, condition: str) -> Any:
            if len(self.left) == 2:
                fill(full)
            if not self.left:
                raise KeyboardInterrupt
            return self.left.pop(0)

        def close(self) -> None:
            pass

    monkeypatch.setattr("bench.trust.study.Recorder", Made)
    monkeypatch.setattr("bench.trust.study.chosen", lambda names, subject: names)
    with pytest.raises(KeyboardInterrupt):
        trust_command._record(full / "t.jsonl", 600.0, ("alone",), RECORDED.variants, 0, False, TUTORIAL)
    said = " ".join(capsys.readouterr().err.split())
    assert "the recording goes on there" in said
    kept = next((full.parent / "room").iterdir())
    assert len(kept.read_bytes().splitlines()) == 5
    assert f"--file {kept} --resume" in said
    assert left_in(full) == []


def test_a_verdict_is_printed_and_every_other_file_written(
    full: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Regression(base="a", head="b", budget_s=1.0, confidence=0.95, comparisons=[])
    fill(full)
    with pytest.raises(UserError) as lost:
        regress._tell(outcome, format_named("json"), [full / "r.json", tmp_path / "r.md"])
    assert kept_by(str(lost.value)).read_text() == capsys.readouterr().out
    assert (tmp_path / "r.md").exists()
    assert left_in(full) == []


def test_counts_are_printed_and_kept(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = read_golden(GOLDEN)
    monkeypatch.setattr("bench.commands.work.counted", lambda cases, show=None: (golden.mxnet, golden.work))
    fill(full)
    done = CliRunner().invoke(app, ["work", "--update", "--golden", str(full / "g.json")])
    assert isinstance(done.exception, NotWrittenError)
    assert read_golden(kept_by(str(done.exception))) == golden
    assert "Work: what a training step does" in done.stdout
    assert left_in(full) == []


def test_of_two_exports_the_one_with_room_is_written(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(option: str) -> Any:
        def written(_traced: object, place: Path) -> dict[str, Any]:
            files.write_whole(place, lambda file: file.write(b"weights"), option)
            return {}

        return written

    traced = SimpleNamespace(batches=lambda: iter(()))
    monkeypatch.setattr(exporting, "source", lambda path, image: traced)
    monkeypatch.setattr(exporting, "replace", lambda one, **fields: one)
    monkeypatch.setattr(exporting, "to_onnx", write("--onnx"))
    monkeypatch.setattr(exporting, "to_safetensors", write("--safetensors"))
    fill(full)
    with pytest.raises(UserError, match=r"--onnx .* it is kept as") as lost:
        exporting.export("x", None, str(full / "a.onnx"), str(tmp_path / "a.safetensors"))
    assert kept_by(str(lost.value)).read_bytes() == b"weights"
    assert (tmp_path / "a.safetensors").read_bytes() == b"weights"


def test_nothing_is_kept_in_a_workers_own_folder_which_goes_with_it(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = full.parent / "room" / "mtl-worker"
    own.mkdir()
    monkeypatch.setenv(files.FOLDER, str(own))
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(own))
    fill(full)
    with pytest.raises(NotWrittenError) as lost:
        files.write_whole(full / "x", lambda file: file.write(b"kept"), "--onnx")
    assert lost.value.kept is not None and lost.value.kept.parent == own.parent


@pytest.mark.usefixtures("full")
def test_a_pipe_that_nobody_reads_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotWrittenError, match="it is kept as") as lost:
        files.write_whole(tmp_path / "pipe", lambda file: file.write(b"kept"), "-o")
    assert lost.value.kept is not None and lost.value.kept.read_bytes() == b"kept"
    reads = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    files.write_whole(tmp_path / "pipe", lambda file: file.write(b"read"), "-o")
    assert os.read(reads, 10) == b"read"
    os.close(reads)


def test_a_recording_is_nobody_elses_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    kept_in(path, RECORDED, units(1))
    lines = opened(path, RECORDED, new=False)
    with pytest.raises(UserError, match="under way"):
        opened(path, RECORDED, new=False)
    lines.close()
    with pytest.raises(UserError, match="is there already; go on with it by --resume"):
        opened(path, Head(machine="m", rounds=1, variants=()), new=True)


@pytest.mark.parametrize("letter", ["x", "\u4e2d", "\U0001f600"])
def test_the_longest_names_that_there_are_can_be_written_and_kept_elsewhere(
    letter: str, tmp_path: Path
) -> None:
    """A name's length is counted in bytes, of which a letter has up to four."""
    longest = letter * (255 // len(letter.encode()))
    files.write_whole(tmp_path / longest, lambda file: file.write(b"kept"), "--json")
    assert (tmp_path / longest).read_bytes() == b"kept"
    place = files.kept_elsewhere(longest, lambda place: place.write_bytes(b"there"))
    assert place is not None and place.read_bytes() == b"there"
    place.unlink()
