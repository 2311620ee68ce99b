"""What jobs cost together."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline_lib.runs import Job

HOUR = 3600


@dataclass(frozen=True)
class Cost:
    """Jobs together.

    Attributes
    ----------
    wall_hours
        Sum of their wall-clock times, those side by side too.
    cpu_hours
        Processor time that they used; that of jobs too short to be measured is missing.
    core_hours, gpu_hours
        Wall-clock time times the cores and GPUs that were reserved.
    memory_mb
        The largest resident set of a single job; `None` if none was measured.
    """

    jobs: int
    wall_hours: float
    cpu_hours: float
    core_hours: float
    gpu_hours: float
    memory_mb: float | None


def cost_of(jobs: Iterable[Job]) -> Cost:
    """Add up jobs."""
    jobs = list(jobs)
    return Cost(
        jobs=len(jobs),
        wall_hours=sum(job.seconds for job in jobs) / HOUR,
        cpu_hours=sum(job.cpu_seconds or 0 for job in jobs) / HOUR,
        core_hours=sum(job.seconds * job.cores for job in jobs) / HOUR,
        gpu_hours=sum(job.seconds * job.gpus for job in jobs) / HOUR,
        memory_mb=max((job.memory_mb for job in jobs if job.memory_mb is not None), default=None),
    )


def costs_by_rule(jobs: Iterable[Job]) -> dict[str, Cost]:
    """Add up the jobs of each rule, in the order in which the rules first ended one."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.rule, []).append(job)
    return {rule: cost_of(group) for rule, group in groups.items()}


def counted(number: int, word: str) -> str:
    """Say how many there are, such as `1 job` and `3 jobs`."""
    return f"1 {word}" if number == 1 else f"{number} {word}s"
