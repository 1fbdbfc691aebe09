"""All result files of a folder or of any place that fsspec reaches, such as ``s3://bucket/results``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import fsspec

from bench.records.run import Run
from bench.results.run_file import LARGEST_FILE, check_size, run_from
from mtl_core.errors import UserError

Watch = Callable[[Sequence[tuple[str, int]]], Iterable[tuple[str, int]]]
MOST_FILES = 10_000


def _all_of(run: Run) -> Run:
    return run


def _unseen(candidates: Sequence[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    return candidates


def read_all(
    place: str, keep: Callable[[Run], Run] = _all_of, watched: Watch = _unseen
) -> tuple[list[Run], list[str]]:
    """The runs of a folder's ``*.json`` by name, and why each other such file was left out.

    Of too many files the last are read, which are the newest: a run's name begins with its date.

    ``keep`` is what is kept of each run, since the raw rounds of many fill the memory; ``watched`` shows
    how far the files are read. Raises UserError when the place is not there or cannot be reached.
    """
    files, candidates = _reached(place)
    runs, left_out = [], []
    for path, size in watched(candidates[-MOST_FILES:]):
        name = path.rsplit("/", 1)[-1]
        try:
            check_size(size, name)
            runs.append(keep(run_from(_content(files, path), name, name)))
        except UserError as error:
            left_out.append(str(error))
    if len(candidates) > MOST_FILES:
        more = len(candidates) - MOST_FILES
        by_name = f"{more} of {len(candidates)} files, the first by name"
        left_out.append(f"{by_name}: at most {MOST_FILES} are read")
    return runs, left_out


def _reached(place: str) -> tuple[Any, list[tuple[str, int]]]:
    """The file system, and (path, bytes) of each file that could be a result; 0 where no size is told."""
    try:
        files, root = fsspec.core.url_to_fs(place)
        if not files.isdir(root):
            raise UserError(
                f"{place} is no folder; give one with result files, or a URL such as s3://bucket/x"
            )
        listing = files.ls(root, detail=True)
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"{place} needs another package ({error})") from None
    except Exception as error:  # each file system has errors of its own, and all mean the same here
        raise UserError(f"{place} cannot be reached ({_said(error)})") from None
    candidates = [(str(f["name"]), int(f.get("size") or 0)) for f in listing if f.get("type") == "file"]
    return files, sorted(f for f in candidates if _is_result(f[0].rsplit("/", 1)[-1]))


def _is_result(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def _content(files: Any, path: str) -> bytes:
    """A file's content, read no further than a result can be long: a listing over HTTP tells no sizes."""
    name, content = path.rsplit("/", 1)[-1], bytearray()
    try:
        with files.open(path, "rb") as file:  # a stream gives what has come, which may be less than asked for
            while len(content) <= LARGEST_FILE and (part := file.read(LARGEST_FILE + 1 - len(content))):
                content += part
    except Exception as error:
        raise UserError(f"{name} cannot be read ({_said(error)})") from None
    check_size(len(content), name)
    return bytes(content)


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
