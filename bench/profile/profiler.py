"""py-spy on a process of ours: found, attached, its refusals in one line that says what to change."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

Format = Literal["speedscope", "flamegraph"]
ANSWER_LIMIT_S = 30.0  # for py-spy to look at a process once
MOST_DELAY = 10.0  # times the seconds asked for, after which a recording is given up


class NoSamplesError(Exception):
    """py-spy gave nothing; the one line says why and what to change."""


@dataclass(frozen=True)
class Sampled:
    """One recording: its file, whether it has native frames, and how far py-spy fell behind."""

    file: Path
    native: bool
    behind_s: float


def entitle(flames: Path, title: str) -> None:
    """Give a flame graph a title: py-spy puts its whole command there, with this machine's folders."""
    picture = flames.read_text(encoding="utf-8")
    # The first text of the picture; its place is left to the picture's own script.
    named = re.sub(
        r'(<text id="title"[^>]*>).*?(</text>)',
        lambda match: match[1] + escape(title) + match[2],
        picture,
        count=1,
        flags=re.S,
    )
    flames.write_text(named, encoding="utf-8")


def find() -> Path:
    """The py-spy on the path, else the one installed beside this Python."""
    program = shutil.which("py-spy") or shutil.which("py-spy", path=sysconfig.get_path("scripts"))
    if program is None:
        raise NoSamplesError("py-spy is not installed: install it with 'pip install py-spy'")
    return Path(program)


def why(said: str, platform: str = sys.platform) -> str:
    """py-spy's complaint as one line that says what to change."""
    if "requires root" in said:
        return "py-spy needs root on macOS: run this command with sudo"
    if re.search("permission denied|operation not permitted|EPERM|EACCES", said, re.IGNORECASE):
        change = (
            "run this command with sudo"
            if platform == "darwin"
            else "in a container start it with --cap-add=SYS_PTRACE; elsewhere set "
            "kernel.yama.ptrace_scope to 0 with sysctl, or run with sudo"
        )
        return f"py-spy may not attach (ptrace refused): {change}"
    lines = [line.strip() for line in said.splitlines()]
    complaint = next((line for line in lines if line.startswith(("Error", "error"))), "")
    return f"py-spy failed ({complaint or (lines[-1] if lines else 'it said nothing')})"


def lacks_native(said: str) -> bool:
    """Whether py-spy complained that this platform has no native frames."""
    return "--native" in said or "native extensions" in said


def behind(said: str) -> float:
    """Seconds that py-spy fell behind its rate at most, by what it said."""
    return max((float(s) for s in re.findall(r"([\d.]+)s behind in sampling", said)), default=0.0)


@dataclass(frozen=True)
class PySpy:
    """Records a process and its children; ``keep_busy`` gives the process something to do meanwhile."""

    program: Path
    pid: int
    keep_busy: Callable[[], object]

    def record(self, file: Path, form: Format, seconds: int, rate_hz: int, native: bool) -> Sampled:
        """One recording into a file; without native frames where the platform has none.

        Raises :class:`NoSamplesError`.
        """
        options = ["--format", form, "--duration", str(seconds), "--rate", str(rate_hz)]
        code, said = self._run(file, [*options, "--native"] if native else options, seconds)
        if code and native and lacks_native(said):
            native = False
            code, said = self._run(file, options, seconds)
        if code or not file.exists():
            raise NoSamplesError(self._why(said))
        return Sampled(file, native, behind(said))

    def _run(self, file: Path, options: list[str], seconds: int) -> tuple[int, str]:
        place = ["--pid", str(self.pid), "--output", str(file), "--subprocesses"]
        with tempfile.TemporaryFile() as said:
            try:
                running = subprocess.Popen(
                    [str(self.program), "record", *place, *options],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                change = "install it anew with 'pip install --force-reinstall py-spy'"
                raise NoSamplesError(f"py-spy cannot be started ({error.strerror}): {change}") from None
            try:
                self._until_done(running, time.monotonic() + seconds * MOST_DELAY + ANSWER_LIMIT_S)
            finally:
                running.kill()  # nothing, where it has ended
                code = running.wait()
            said.seek(0)
            return code, said.read().decode(errors="replace")

    def _until_done(self, running: subprocess.Popen[bytes], deadline: float) -> None:
        while running.poll() is None and time.monotonic() < deadline:
            self.keep_busy()

    def _why(self, said: str) -> str:
        """The reason of a failure. With children asked for, py-spy hides it: ask without them."""
        reason = why(said)
        if not reason.startswith("py-spy failed"):
            return reason
        command = [str(self.program), "dump", "--pid", str(self.pid)]
        try:
            looked = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=ANSWER_LIMIT_S, errors="replace"
            )
        except (subprocess.TimeoutExpired, OSError):
            return reason
        return why(looked.stderr) if looked.returncode else reason
