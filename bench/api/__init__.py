"""What the commands do, for programs and notebooks: three functions that return the records.

``run`` asks the questions of a task, ``compare_runs`` holds runs against each other, ``compare`` measures two
tasks or two settings in turns. A record shows itself in a notebook, and as text elsewhere.
"""

from bench.api.notebook import ShownComparison, ShownRun
from bench.api.pair import compare
from bench.api.runs import compare_runs, run

__all__ = ["ShownComparison", "ShownRun", "compare", "compare_runs", "run"]
