"""The option ``--format`` and files by their endings, alike for every command that has a page."""

from __future__ import annotations

from pathlib import Path

from mtl_core.errors import UserError
from mtl_core.program.files import check_place, write_whole
from reports import formats
from reports.formats import Format
from reports.model.page import Page

NAMES = "|".join(formats.names())  # for the help


def format_named(name: str) -> Format:
    """The format that ``--format`` names. Raises UserError for any other name."""
    form = formats.named(name)
    if form is None:
        raise UserError(f"--format is {name[:40]!r}; expected one of {', '.join(formats.names())}")
    return form


def format_of(path: Path, option: str) -> Format:
    """The format that a file's ending tells. Raises UserError where it tells none."""
    form = formats.of_file(path.suffix)
    if form is None:
        raise UserError(
            f"{option} {path} ends in {path.suffix or 'nothing'!r}; expected {', '.join(formats.suffixes())}"
        )
    return form


def check_files(files: list[Path], option: str) -> None:
    """Fail before the measuring where an output has no format or could not be written."""
    for path in files:
        format_of(path, option)
        check_place(path, option)


def write_file(page: Page, form: Format, path: Path, option: str) -> int:
    """The page in a file, whole or not at all; how many bytes it has. Raises UserError naming the option."""
    content = formats.text(page, form).encode()
    write_whole(path, lambda file: file.write(content), option)
    return len(content)
