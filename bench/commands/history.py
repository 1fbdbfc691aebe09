"""``python -m bench history``: a folder or a store of results over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.compare import chosen, files_read
from bench.commands.formats import NAMES, format_named
from bench.questions.shares import parse_share
from bench.records.defaults import RESULTS
from mtl_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.comparison import History
    from bench.records.run import Run


def history(
    place: Annotated[str, typer.Argument(metavar="FOLDER|URL", help="Where the result files are.")] = str(
        RESULTS
    ),
    wanted: Annotated[str, typer.Option("--format", metavar=NAMES, help="How to write it.")] = "terminal",
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
    from reports.formats import write
    from reports.pages.history import history_page

    form, place = format_named(wanted), place or "."
    runs, left_out = read_all(place, _without_rounds, files_read)
    if not runs:
        why = f" ({left_out[0]})" if left_out else ""
        raise UserError(f"{place} holds no result file{why}; python -m bench run makes one")
    whole = over_time(chosen(runs, only), left_out, parse_share(alpha, "--alpha"))
    write(history_page(_of_machine(whole, machine)), form)


def _without_rounds(run: Run) -> Run:
    """What a history needs of a run; its statistics are computed by now."""
    import msgspec

    return msgspec.structs.replace(run, blocks={})


def _of_machine(whole: History, name: str) -> History:
    import msgspec

    machines = [machine for machine in whole.machines if name.lower() in machine.machine.lower()]
    if not machines:
        there = "; ".join(machine.machine for machine in whole.machines) or "no machine at all"
        raise UserError(f"no run is of a machine with {name!r} in its class; there is {there}")
    return msgspec.structs.replace(whole, machines=machines)
