"""A profile's file: written whole, read back into a Profile.

``profile.json`` lies in the profile's folder, the flame graph, the recordings and the timeline beside
it, by their names.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from bench.records.infinities import endless, finite
from bench.records.profile import PROFILE_SCHEMA, Profile
from mtl_core.errors import UserError
from mtl_core.program.files import write_whole

PROFILE_FILE = "profile.json"
LARGEST_FILE = 50 * 2**20  # bytes; a profile is some 100 KB


def write_profile(profile: Profile, folder: Path) -> None:
    """``profile.json`` in the folder, whole or not at all."""
    text = json.dumps(finite(msgspec.to_builtins(profile)), indent=1, allow_nan=False)
    write_whole(folder / PROFILE_FILE, lambda file: file.write(text.encode()), "-o")


def read_profile(path: Path) -> Profile:
    """The profile in a file, or in a folder's ``profile.json``.

    Raises UserError, naming the file and what is wrong with it, for anything that is not one.
    """
    path = path / PROFILE_FILE if path.is_dir() else path
    document = _document(path)
    check_schema(document, path)
    try:
        return msgspec.convert(endless(document), Profile)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise UserError(f"{path}: damaged or no profile of this suite ({error}); profile again") from None


def check_schema(document: dict[str, object], path: Path) -> None:
    """Raise UserError for a profile that this version does not know how to read."""
    schema = document.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or not 1 <= schema <= PROFILE_SCHEMA:
        raise UserError(
            f"{path} has schema {str(schema)[:40]!r}, while this version reads 1 to {PROFILE_SCHEMA}; "
            "profile again"
        )


def _document(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path} is larger than {LARGEST_FILE >> 20} MB: no profile")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); give a profile's folder") from None
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deep"
        raise UserError(f"{path} is not JSON or cut off ({reason}); profile again") from None
    if not isinstance(document, dict):
        raise UserError(f"{path} is no profile of this suite: it holds no object; give a {PROFILE_FILE}")
    return document
