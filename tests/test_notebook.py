"""docs/notebook.ipynb run by a kernel whose workers are played; what it shows is kept in it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.processes import ROOT

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed (extra: test)")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (extra: test)")

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
FIRST = "from tests import played\n\nplayed.install()"
LAST = "import sys\n\nassert 'mxnet' not in sys.modules\n\ndef task():\n    pass\n\nrun(task)"


def kinds(cell: Any) -> list[list[str]]:
    """What each output of a cell can be shown as; what is only said of the machine is left out."""
    shown = [out for out in cell.outputs if out.output_type in ("display_data", "execute_result")]
    return [sorted(out.data) for out in shown]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("notebook")
    notebook = copy.deepcopy(nbformat.read(NOTEBOOK, as_version=4))
    more = [nbformat.v4.new_code_cell(source) for source in (FIRST, LAST)]
    notebook.cells = [more[0], *notebook.cells, more[1]]
    more[1].metadata["tags"] = ["raises-exception"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("IPYTHONDIR", str(folder))
        client = nbclient.NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        client.execute()
    return notebook


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore")
def test_every_record_shows_itself_in_a_notebook(executed: Any) -> None:
    shown = [
        kinds(cell) for cell in executed.cells if cell.cell_type == "code" and "acme_bench:" in cell.source
    ]
    progress, record = ["text/plain"], ["text/html", "text/plain"]
    assert shown[:3] == [[progress, record]] * 3
    run = next(cell for cell in executed.cells if cell.source.endswith("\nfirst"))
    told, record = (out.data for out in run.outputs if out.output_type != "stream")
    assert told["text/plain"].startswith("measured in some ")
    assert "box costs 50%" in record["text/html"] and "<svg" in record["text/html"]
    assert "box costs 50%" in record["text/plain"]


@pytest.mark.whole
def test_a_task_of_the_notebook_itself_is_refused_in_a_line(executed: Any) -> None:
    (error,) = executed.cells[-1].outputs
    assert len(error.traceback) == 1
    assert error.traceback[0].startswith(
        "error: task lives in this notebook or program alone; workers import"
    )
    assert "%%writefile acme_bench.py" in error.traceback[0]


@pytest.mark.whole
def test_what_the_notebook_keeps_is_what_its_cells_show(executed: Any) -> None:
    kept = nbformat.read(NOTEBOOK, as_version=4)
    assert [c.execution_count for c in kept.cells if c.cell_type == "code"] == list(
        range(1, 1 + sum(c.cell_type == "code" for c in kept.cells))
    )
    for cell, again in zip(kept.cells, executed.cells[1:-1], strict=True):
        if cell.cell_type == "code":
            assert kinds(cell) == kinds(again)
            assert not any(out.output_type == "error" for out in cell.outputs)
