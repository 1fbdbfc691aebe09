"""py-spy's flame graph made readable: workers merged, functions' names first, anything else left alone."""

from __future__ import annotations

import re

import pytest

from bench.profile.flames import own_name_first, readable

# As py-spy 0.4 draws it: a main process with two workers that do the same, the second a little more.
HEAD = (
    '<svg width="1200"><script>var truncate_text_right = false;</script>'
    '<svg id="frames" x="10" width="1180" total_samples="100">'
)


def frame(name: str, x: int, w: int, row: int) -> str:
    return (
        f'<g><title>{name} ({w} samples, {w:.2f}%)</title><rect x="{x}.0000%" y="{68 + 16 * row}" '
        f'width="{w}.0000%" height="15" fill="rgb(200,0,{row})" fg:x="{x}" fg:w="{w}"/>'
        f'<text x="{x}.2500%" y="{78.5 + 16 * row}">..cut</text></g>'
    )


FRAMES = [
    frame("all", 0, 100, 0),
    frame("process 10:&quot;python worker&quot;", 0, 100, 1),
    frame("process 11:&quot;python worker&quot;", 0, 30, 2),
    frame("load (a.py:1)", 0, 30, 3),
    frame("process 12:&quot;python worker&quot;", 30, 50, 2),
    frame("load (a.py:1)", 30, 40, 3),
    frame("pack (a.py:9)", 70, 10, 3),
    frame("mx::Engine::WaitForVar&lt;a::b&gt; (lib.so)", 80, 20, 2),
]
PICTURE = f"{HEAD}{''.join(FRAMES)}</svg></svg>"


def shown(svg: str) -> dict[str, tuple[int, int, int]]:
    """Each frame's place: first sample, samples, row."""
    found = re.findall(
        r"<title>(.*?) \([0-9,]+ samples, [0-9.]+%\)</title>"
        r'<rect [^>]*y="([0-9]+)"[^>]*fg:x="([0-9]+)" fg:w="([0-9]+)"',
        svg,
    )
    return {name: (int(x), int(w), (int(y) - 68) // 16) for name, y, x, w in found}


def test_equal_workers_are_one_tower_and_no_sample_is_lost() -> None:
    assert shown(readable(PICTURE)) == {
        "all": (0, 100, 0),
        "process: python worker": (0, 100, 1),
        "2 processes: python worker": (0, 80, 2),
        "load (a.py:1)": (0, 70, 3),
        "pack (a.py:9)": (70, 10, 3),
        "WaitForVar&lt;a::b&gt; [mx::Engine] (lib.so)": (80, 20, 2),
    }


def test_labels_are_cut_behind_the_functions_name() -> None:
    told = readable(PICTURE)
    assert "truncate_text_right = true;" in told and "truncate_text_right = false;" not in told
    labels = re.findall(r"<text [^>]*>([^<]*)</text>", told)
    assert "pack (a.py:9)" in labels
    assert "WaitForVar&lt;a::b&gt; [mx::Engine] .." in labels


@pytest.mark.parametrize(
    ("name", "shown_as"),
    [
        ("load (a.py:1)", "load (a.py:1)"),
        ("std::vector<a::b>::push (lib.so)", "push [std::vector<a::b>] (lib.so)"),
        ("operator()", "operator()"),
        ("a::f<b::c>", "f<b::c> [a]"),
        ("f<b::c> (x.so)", "f<b::c> (x.so)"),
        ("::f (x.so)", "::f (x.so)"),
    ],
)
def test_a_functions_own_name_comes_before_what_it_belongs_to(name: str, shown_as: str) -> None:
    assert own_name_first(name) == shown_as


@pytest.mark.parametrize(
    "svg",
    [
        "",
        "<svg></svg>",
        HEAD.replace("false", "true") + "</svg></svg>",
        PICTURE.replace("false", "true").replace("<g>", '<g class="other">'),
        PICTURE.replace("false", "true").replace(FRAMES[1], ""),  # frames without a caller in the row above
    ],
    ids=["empty", "other", "no frames", "drawn otherwise", "hanging"],
)
def test_a_picture_of_another_kind_is_left_as_it_is(svg: str) -> None:
    assert readable(svg) == svg
