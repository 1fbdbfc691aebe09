"""py-spy's flame graph made readable: equal workers are one tower, a function's own name comes first.

py-spy draws every process as a tower of its own, so that four DataLoader workers that do the same are four
thin towers; and the picture's script cuts labels off at the left, where the function's name is, or at the
right, where C++ has it. Both are mended in the finished picture: py-spy writes that or stacks without any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape, unescape

# What py-spy writes of each frame, and around all of them.
FRAMES = re.compile(
    r'(<svg id="frames"[^>]* total_samples="([0-9]+)"[^>]*>)(.*)(</svg>\s*</svg>\s*)$', re.DOTALL
)
FRAME = re.compile(
    r"<g><title>(?P<name>[^<]*) \([0-9,]+ samples, [0-9.]+%\)</title>"
    r'<rect x="[^"]*" y="(?P<y>[0-9]+)" width="[^"]*" height="(?P<height>[0-9]+)" fill="(?P<fill>[^"]*)" '
    r'fg:x="(?P<x>[0-9]+)" fg:w="(?P<w>[0-9]+)"/><text [^>]*>[^<]*</text></g>'
)
# Of the picture's own script: at which end a label is cut that its frame has no room for.
CUT_AT_LEFT, CUT_AT_RIGHT = "truncate_text_right = false;", "truncate_text_right = true;"
PROCESS = re.compile(r"process [0-9]+:(.*)", re.DOTALL)
WIDTH, SIGN = 1180, 7.2  # pixels of all frames, and of a label's character
LEAST_LABEL = 3  # characters


@dataclass
class Tower:
    """A frame and what stands on it. ``processes``: how many were merged into it, 0 for a function."""

    name: str
    fill: str
    samples: int
    processes: int = 0
    above: list[Tower] = field(default_factory=list)

    @property
    def title(self) -> str:
        if self.processes > 1:
            return f"{self.processes} processes: {self.name}"
        return f"process: {self.name}" if self.processes else self.name


@dataclass(frozen=True)
class Drawn:
    """A frame as it stands in the picture: its row from the top in pixels, its columns in samples."""

    name: str
    fill: str
    y: int
    height: int
    x: int
    samples: int


def readable(svg: str) -> str:
    """The picture with equal processes merged and functions' names first.

    As it came where it is not drawn the way py-spy draws it: a picture of any kind is better than none.
    """
    svg = svg.replace(CUT_AT_LEFT, CUT_AT_RIGHT)
    picture = FRAMES.search(svg)
    if picture is None:
        return svg
    start, total, inside, end = picture.groups()
    frames = [
        Drawn(unescape(f["name"]), f["fill"], int(f["y"]), int(f["height"]), int(f["x"]), int(f["w"]))
        for f in FRAME.finditer(inside)
    ]
    if not frames or int(total) < 1 or FRAME.sub("", inside).strip():
        return svg
    try:
        roots = merged(_towers(frames))
    except ValueError:
        return svg
    rows = sorted({frame.y for frame in frames})
    shown = "".join(_drawn(roots, 0, int(total), rows, frames[0].height))
    return svg[: picture.start()] + start + shown + end


def _towers(frames: list[Drawn]) -> list[Tower]:
    """The frames as trees, callers first. Raises ValueError where a frame has no caller in the row above."""
    roots: list[Tower] = []
    callers: list[tuple[Drawn, Tower]] = []  # from the root to the last frame
    first_row = min(frame.y for frame in frames)
    for frame in sorted(frames, key=lambda one: (one.x, one.y)):
        while callers and not _holds(callers[-1][0], frame):
            callers.pop()
        above = callers[-1][0].y if callers else first_row - frame.height - 1
        if frame.y - above > frame.height + 1:
            raise ValueError(f"{frame.name} has no caller")
        process = PROCESS.fullmatch(frame.name)
        name = process[1].strip('" ') if process else own_name_first(frame.name)
        tower = Tower(name, frame.fill, frame.samples, processes=int(process is not None))
        (callers[-1][1].above if callers else roots).append(tower)
        callers.append((frame, tower))
    return roots


def _holds(below: Drawn, above: Drawn) -> bool:
    inside = below.x <= above.x and above.x + above.samples <= below.x + below.samples
    return inside and below.y < above.y


def merged(towers: Iterable[Tower]) -> list[Tower]:
    """Neighbours of the same name as one, and so on above them; the widest first keeps its colour."""
    by_name: dict[tuple[str, bool], Tower] = {}
    for tower in towers:
        key = (tower.name, bool(tower.processes))
        same = by_name.get(key)
        if same is None:
            by_name[key] = Tower(tower.name, tower.fill, tower.samples, tower.processes, list(tower.above))
        else:
            same.samples += tower.samples
            same.processes += tower.processes
            same.above += tower.above
    for tower in by_name.values():
        tower.above = merged(tower.above)
    return list(by_name.values())


def own_name_first(name: str) -> str:
    """``WaitForVar [mxnet::engine::ThreadedEngine] (libmxnet.so)`` for what C++ names the other way round."""
    qualified, bracket, where = name.rpartition(" (")
    if not bracket:
        qualified, where = name, ""
    depth, split = 0, -1
    for place, sign in enumerate(qualified):
        depth += (sign in "<({[") - (sign in ">)}]")
        if depth == 0 and qualified.startswith("::", place):
            split = place
    if split < 1:
        return name
    return f"{qualified[split + 2 :]} [{qualified[:split]}]" + (f" ({where}" if bracket else "")


def _drawn(towers: list[Tower], x: int, total: int, rows: list[int], height: int) -> Iterator[str]:
    """The towers side by side from this column on, in the rows from here downwards."""
    for tower in towers:
        share, left = 100 * tower.samples / total, 100 * x / total
        label = escape(_label(tower.title, share))
        yield (
            f"<g><title>{escape(tower.title)} ({tower.samples:,} samples, {share:.2f}%)</title>"
            f'<rect x="{left:.4f}%" y="{rows[0]}" width="{share:.4f}%" height="{height}" '
            f'fill="{escape(tower.fill)}" fg:x="{x}" fg:w="{tower.samples}"/>'
            f'<text x="{left + 0.25:.4f}%" y="{rows[0] + 10.5:.2f}">{label}</text></g>'
        )
        yield from _drawn(tower.above, x, total, rows[1:], height) if tower.above else ()
        x += tower.samples


def _label(title: str, share: float) -> str:
    """As much of a title as fits on a frame of this share of the picture."""
    room = int(share / 100 * WIDTH / SIGN)
    if room < LEAST_LABEL:
        return ""
    return title if len(title) <= room else f"{title[: room - 2]}.."
