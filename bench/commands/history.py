"""``python -m bench history``: a folder or a store of results over time."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.compare import chosen, files_read, parse_share
from mtl_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.comparison import History
    from bench.records.run import Run
    from reports.model.tables import Table

RESULTS = ".benchmarks/mtl-bench"  # where run leaves them


class Format(str, Enum):
    """How the history is written."""

    table = "table"
    markdown = "markdown"
    json = "json"
    csv = "csv"


def history(
    place: Annotated[str, typer.Argument(metavar="FOLDER|URL", help="Where the result files are.")] = RESULTS,
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.table,
    machine: Annotated[
        str, typer.Option(help="Only machine classes with this in their name, such as EPYC.")
    ] = "",
    only: Annotated[str, typer.Option(help="Only benchmarks with this in their name.")] = "",
    alpha: Annotated[
        str, typer.Option(help="Chance of any mark where nothing changed; again beside a mark.")
    ] = "5%",
) -> None:
    """Draw each benchmark over the revisions and mark where its level changed.

    Runs of one machine class, oldest first. The place is a folder or any URL that fsspec
    knows, so that many machines can share one store (s3:// takes the package s3fs).

    Examples:

      python -m bench history

      python -m bench history s3://our-results/mtl --machine EPYC

      python -m bench history results --only hybridize/step --format markdown
    """
    from bench.comparison.history import history as over_time
    from bench.results.collection import read_all

    runs, left_out = read_all(place, _without_rounds, files_read)
    if not runs:
        why = f" ({left_out[0]})" if left_out else ""
        raise UserError(f"{place} holds no result file{why}; python -m bench run makes one")
    told = over_time(chosen(runs, only), left_out, parse_share(alpha, "--alpha"))
    _write(_of_machine(told, machine), form)


def _without_rounds(run: Run) -> Run:
    """What a history needs of a run; its statistics are computed by now."""
    import msgspec

    return msgspec.structs.replace(run, blocks={})


def _of_machine(told: History, name: str) -> History:
    import msgspec

    chosen = [machine for machine in told.machines if name.lower() in machine.machine.lower()]
    if not chosen:
        known = "; ".join(machine.machine for machine in told.machines) or "no machine at all"
        raise UserError(f"no run is of a machine with {name!r} in its class; there is {known}")
    return msgspec.structs.replace(told, machines=chosen)


def _write(told: History, form: Format) -> None:
    from bench.records.comparison import SCHEMA
    from reports.formats import csv, json

    if form is Format.json:
        typer.echo(json.text(told, schema=SCHEMA))
    elif form is Format.csv:
        typer.echo(csv.history(told), nl=False)
    elif form is Format.markdown:
        typer.echo(_markdown(told))
    else:
        _show(told)


def _markdown(told: History) -> str:
    from reports.formats import markdown_parts as markdown
    from reports.pages import history

    lines = []
    for machine in told.machines:
        lines += [f"## {markdown.text(machine.machine)}", ""]
        lines += [f"- {markdown.text(words)}" for words in history.sentences(machine)] + [""]
        lines += [markdown.table(table) for table in history.tables(machine)]
        lines += [f"- {markdown.text(words)}" for words in history.footnotes(machine)]
    return "\n".join([*lines, *(f"- {markdown.text(words)}" for words in history.left_out(told))])


def _show(told: History) -> None:
    from rich.console import Console

    from reports.formats.terminal import page as terminal
    from reports.model.text import harmless
    from reports.pages import history

    console = Console()
    plain = not console.encoding.lower().startswith("utf")

    def room(model: Table, wanted: int) -> int:
        return terminal.room_beside(model, wanted, console.width)

    for machine in told.machines:
        console.print(f"\n{harmless(machine.machine)}", style="bold", markup=False, highlight=False)
        for words in history.sentences(machine):
            console.print(words, markup=False, highlight=False)
        for table in history.tables(machine, plain, room):
            console.print()
            console.print(terminal.fitted(table, console))
        for words in history.footnotes(machine):
            console.print(words, markup=False, highlight=False)
    for words in history.left_out(told):
        console.print(words, markup=False, highlight=False)
