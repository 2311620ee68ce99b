"""The page of a crate that is read without any tool: what ran, and what each rule cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline_lib.crate.costs import Cost, costs_by_rule, counted
from pipeline_lib.runs import Job


def readme(runs: Sequence[Mapping[str, Any]], jobs: Sequence[Job]) -> str:
    """Write the page, in Markdown."""
    last = runs[-1]
    changed = " with changes that were not committed" if last.get("dirty") else ""
    lines = [
        "# A run of Recontrast",
        "",
        f"{counted(len(jobs), 'job')} in {counted(len(runs), 'run')}. The last started at "
        f"{last['started']} with the commit {last.get('commit') or 'not known'}{changed}.",
        "",
        "- `ro-crate-metadata.json`: all of it for machines (Provenance Run Crate 0.5)",
        "- `configuration.json`: every setting of the last run",
        "- `runs.json`: every run with its code, packages, machine, start and end",
        "- `Snakefile`, `workflow/`: the workflow",
        "- `results/`: what was copied of the results, if anything was",
        "",
        "Hours of all jobs of a rule together, those that were made again too:",
        "",
        "| rule | jobs | wall-clock hours | CPU hours | core hours | GPU hours | memory (MB) |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(_row(rule, cost) for rule, cost in costs_by_rule(jobs).items()),
    ]
    return "\n".join(lines) + "\n"


def _row(rule: str, cost: Cost) -> str:
    hours = (cost.wall_hours, cost.cpu_hours, cost.core_hours, cost.gpu_hours)
    memory = "" if cost.memory_mb is None else f"{cost.memory_mb:.0f}"
    return f"| {rule} | {cost.jobs} | {' | '.join(f'{each:.4f}' for each in hours)} | {memory} |"
