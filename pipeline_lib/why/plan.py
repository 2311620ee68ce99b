"""What Snakemake would run, as its dry run tells it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# How a dry run begins each part of a reason, and what the part is called here.
PARTS = {
    "Forced execution": "forced",
    "Missing output files": "missing",
    "Incomplete output files": "incomplete",
    "Updated input files": "newer",
    "Input files updated by another job": "follows",
    "Set of input files has changed since last execution": "inputs",
    "Code has changed since last execution": "command",
    "Params have changed since last execution": "params",
    "Software environment definition has changed since last execution": "environment",
}
_PART = re.compile(rf"(?:^|; )({'|'.join(map(re.escape, PARTS))})(?:: )?")
_RULE = re.compile(r"(?:local)?(?:rule|checkpoint) (\w+):")
_FIELD = re.compile(r"    (input|output|log|reason|wildcards): (.*)")
_COMMAND = "Shell command: "


@dataclass(frozen=True)
class Job:
    """A job that would run.

    Attributes
    ----------
    reason
        The parts of its reason, `{one of PARTS: what follows it}`.
    command
        Its shell command; empty of a rule without one.
    """

    rule: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reason: Mapping[str, str]
    command: str


def read_plan(text: str) -> list[Job]:
    """Read the jobs of `snakemake --dry-run --printshellcmds`.

    Raises
    ------
    ValueError
        If a job has no reason: the text is no dry run's.
    """
    jobs: list[Job] = []
    rule, fields, command = "", dict[str, str](), ""
    for line in [*text.splitlines(), "rule end:"]:
        if begun := _RULE.fullmatch(line):
            if rule:
                jobs.append(_job(rule, fields, command))
            rule, fields, command = begun[1], {}, ""
        elif rule and (field := _FIELD.fullmatch(line)):
            fields.setdefault(field[1], field[2])
        elif rule and line.startswith(_COMMAND):
            command = line.removeprefix(_COMMAND)
    return jobs


def _job(rule: str, fields: Mapping[str, str], command: str) -> Job:
    if "reason" not in fields:
        raise ValueError(f"the job {rule} has no reason")
    pairs = _split(fields.get("wildcards", ""))
    return Job(
        rule=rule,
        wildcards=dict(pair.split("=", 1) for pair in pairs),
        inputs=_split(fields.get("input", "")),
        outputs=_split(fields.get("output", "")),
        reason=read_reason(fields["reason"]),
        command=command,
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()


def read_reason(text: str) -> dict[str, str]:
    """Take a reason apart: `{one of PARTS: what follows it}`."""
    found = list(_PART.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {
        PARTS[match[1]]: text[match.end() : end].strip()
        for match, end in zip(found, ends, strict=True)
    }


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Sort jobs so that each comes after those that make its inputs."""
    jobs = list(jobs)
    maker = {output: index for index, job in enumerate(jobs) for output in job.outputs}
    left = [{maker[name] for name in job.inputs if name in maker} for job in jobs]
    users: dict[int, list[int]] = {}
    for index, needed in enumerate(left):
        for other in needed:
            users.setdefault(other, []).append(index)
    ready = [index for index, needed in enumerate(left) if not needed]
    order = []
    for index in ready:  # grows while it is gone through
        order.append(jobs[index])
        for user in users.get(index, ()):
            left[user].discard(index)
            if not left[user]:
                ready.append(user)
    return order
