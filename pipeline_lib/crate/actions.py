"""What ran: every run of the workflow, and in it every rule, with its hours."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_lib.crate.contents import Contents
from pipeline_lib.crate.costs import cost_of, counted
from pipeline_lib.crate.entities import Entity, entity, quantity, to, to_all
from pipeline_lib.crate.tools import SNAKEMAKE, step_id, tool_id
from pipeline_lib.runs import Job

COMPLETED = "http://schema.org/CompletedActionStatus"
FAILED = "http://schema.org/FailedActionStatus"
STATUS = {"finished": COMPLETED, "failed": FAILED, "interrupted": FAILED}
ERRORS = {
    "failed": "At least one job failed.",
    "interrupted": "The workflow itself was stopped before its end.",
}


@dataclass(frozen=True)
class Given:
    """What all runs share.

    Attributes
    ----------
    inputs
        References to the configuration and to the datasets.
    outputs
        Entities of the results.
    agent
        Who ran the workflow; empty if not told.
    """

    inputs: Sequence[Entity]
    outputs: Sequence[Entity]
    agent: Sequence[Entity]


def run_actions(contents: Contents, given: Given) -> tuple[list[Entity], list[Entity]]:
    """Describe all runs.

    Returns
    -------
        The actions; and the values of their costs, which they refer to.
    """
    actions: list[Entity] = []
    measured: list[Entity] = []
    for run in contents.runs:
        made, costs = _run(run, contents.jobs_of(run["started"]), given)
        actions += made
        measured += costs
    return actions, measured


def _run(
    run: Mapping[str, Any], jobs: Sequence[Job], given: Given
) -> tuple[list[Entity], list[Entity]]:
    name, outcome = f"#run-{run['started']}", run.get("outcome", "")
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.rule, job.code), []).append(job)
    made, costs = [], []
    for (rule, code), group in groups.items():
        identifier = f"{name}-{tool_id(rule, code).removeprefix('#stage-')}"
        usage = _usage(identifier, group)
        costs += usage
        made.append(
            entity(
                identifier,
                "CreateAction",
                name=f"{rule}, {counted(len(group), 'job')}",
                description="All jobs of the rule in this run; they may have run side by side.",
                instrument=to(tool_id(rule, code)),
                object=list(given.inputs),
                result=to_all(_made_by({rule}, given.outputs)),
                startTime=min(job.started for job in group),
                endTime=max(job.ended for job in group),
                actionStatus=COMPLETED,
                agent=to_all(given.agent),
                resourceUsage=to_all(usage),
            )
        )
    controls = [
        entity(
            f"{each['@id']}-control",
            "ControlAction",
            name=f"Orchestration of {rule}",
            instrument=to(step_id(rule)),
            object=to(each["@id"]),
            actionStatus=COMPLETED,
        )
        for (rule, _), each in zip(groups, made, strict=True)
    ]
    ended = run.get("ended") or max((job.ended for job in jobs), default=run["started"])
    usage = _usage(name, jobs)
    whole = entity(
        name,
        "CreateAction",
        name=f"Run of {run['started']}",
        description=f"{counted(len(jobs), 'job')} on {_machine(run.get('machine', {}))}.",
        instrument=to("Snakefile"),
        object=list(given.inputs),
        result=to_all(_made_by({rule for rule, _ in groups}, given.outputs)),
        startTime=run["started"],
        endTime=ended,
        actionStatus=STATUS.get(outcome),
        error=ERRORS.get(outcome),
        agent=to_all(given.agent),
        resourceUsage=to_all(usage),
    )
    organised = entity(
        f"{name}-engine",
        "OrganizeAction",
        name=f"Snakemake, {run['started']}",
        instrument=to(SNAKEMAKE),
        object=to_all(controls),
        result=to(name),
        startTime=run["started"],
        endTime=ended,
        agent=to_all(given.agent),
    )
    # The profile knows no engine that ran nothing.
    return [whole, *([organised] if controls else []), *made, *controls], [*costs, *usage]


def _made_by(rules: Collection[str], results: Iterable[Entity]) -> list[Entity]:
    """Give the results of rules: a stage and its folder share one name."""
    return [each for each in results if each["name"].split("/")[1].removesuffix(".html") in rules]


def _usage(identifier: str, jobs: Sequence[Job]) -> list[Entity]:
    """Give what jobs cost together."""
    if not jobs:
        return []
    cost = cost_of(jobs)
    found = {
        "wall-clock hours": (round(cost.wall_hours, 6), "HUR"),
        "CPU hours": (round(cost.cpu_hours, 6), "HUR"),
        "core hours": (round(cost.core_hours, 6), "HUR"),
        "GPU hours": (round(cost.gpu_hours, 6), "HUR"),
        "largest memory": (cost.memory_mb, "4L"),
    }
    return [
        quantity(f"{identifier}-{name.replace(' ', '-')}", name, value, unit)
        for name, (value, unit) in found.items()
        if value is not None
    ]


def _machine(machine: Mapping[str, Any]) -> str:
    if not machine:
        return "a machine that was not recorded"
    gpus = machine.get("gpus") or ["no GPU"]
    parts = [
        f"{machine.get('cores')} cores ({machine.get('processor')})",
        f"{machine.get('memory_gib')} GiB",
        *gpus,
        f"{machine.get('system')}, {machine.get('kernel')}",
    ]
    return ", ".join(parts)
