"""A profile's file: written whole, read back into a Profile.

``profile.json`` lies in the profile's folder, the flame graph, the recordings and the timeline beside
it, by their names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.records.infinities import endless, finite
from bench.records.profile import PROFILE_SCHEMA, Profile
from bench.results.plausible import DamagedError, check_estimates
from mtl_core.errors import UserError, visible
from mtl_core.platform.on_disk import LARGEST_NUMBER, ForeignError, content, json_object
from mtl_core.program.files import write_whole

PROFILE_FILE = "profile.json"
Record = TypeVar("Record")
LARGEST_FILE = 50 * 2**20  # bytes; a profile is some 100 KB


def write_profile(profile: Profile, folder: Path) -> None:
    """``profile.json`` in the folder, whole or not at all."""
    text = json.dumps(finite(msgspec.to_builtins(profile)), indent=1, allow_nan=False)
    write_whole(folder / PROFILE_FILE, lambda file: file.write(text.encode()), "-o")


def file_of(path: Path) -> Path:
    """A profile's file, of its folder or of itself."""
    return path / PROFILE_FILE if os.path.isdir(path) else path  # noqa: PTH112  # no error for a long name


def read_profile(path: Path) -> Profile:
    """The profile in a file, or in a folder's ``profile.json``.

    Raises UserError, naming the file and what is wrong with it, for anything that is not one.
    """
    path = file_of(path)
    document = read_document(path)
    check_schema(document, path)
    return record_of(document, Profile, path)


def record_of(document: dict[str, object], kind: type[Record], path: Path) -> Record:
    """The document as a record of this kind. Raises UserError, naming the file, where it is none."""
    try:
        whole = endless(document)
        record = msgspec.convert(whole, kind)
        check_estimates(whole)
        return record
    except (msgspec.ValidationError, DamagedError) as error:
        raise UserError(
            f"{path}: damaged or no profile of this suite ({visible(str(error))}); profile again"
        ) from None


def check_schema(document: dict[str, object], path: Path) -> None:
    """Raise UserError for a profile that this version does not know how to read."""
    schema = document.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or not 1 <= schema <= PROFILE_SCHEMA:
        raise UserError(
            f"{path} has schema {str(schema)[:40]!r}, while this version reads 1 to {PROFILE_SCHEMA}; "
            "profile again"
        )


def read_document(path: Path) -> dict[str, object]:
    """The JSON object of a profile's file, within bounds. Raises UserError naming the file."""
    raw = content(path, LARGEST_FILE, "give a profile's folder")
    try:
        return json_object(raw, largest=LARGEST_NUMBER)
    except ForeignError as error:
        raise UserError(f"{path} is no profile of this suite ({error}); profile again") from None
