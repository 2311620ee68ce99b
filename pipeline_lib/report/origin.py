"""Where the results came from: time and memory of each rule, versions, the machine."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.runs import allotted

PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow", "torch", "safetensors", "antspyx", "nibabel", "nilearn",
    "scikit-image", "torchmetrics", "dcm2niix", "matplotlib", "Pillow", "Jinja2",
    "PyYAML",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One job of a rule, as Snakemake's benchmark file tells it.

    Attributes
    ----------
    name
        Its patient, fold, ... as its benchmark file is named.
    seconds
        Wall-clock time.
    cpu_seconds
        Processor time of all its cores together; not a number as for the memory.
    memory
        Largest resident set in MB; not a number where the job was too short to be measured.
    ended
        When its benchmark file was written, seconds since the epoch.
    """

    rule: str
    name: str
    seconds: float
    cpu_seconds: float
    memory: float
    ended: float


@dataclass(frozen=True)
class RuleCost:
    """All jobs of a rule: how many, their seconds together and at most, memory at most (MB).

    `cpu_seconds` is the processor time that they used, `core_seconds` and `gpu_seconds` are the
    wall-clock time times the cores and GPUs that were reserved; not a number where unknown.
    """

    rule: str
    jobs: int
    seconds: float
    longest: float
    cpu_seconds: float
    core_seconds: float
    gpu_seconds: float
    memory: float


def read_jobs(folder: str | Path) -> list[Job]:
    """Read Snakemake's benchmark files `<folder>/<rule>/**/*.tsv`; an absent folder has none.

    Raises
    ------
    InputError
        If a file is not a benchmark table.
    """
    folder = Path(folder)
    jobs = []
    for path in sorted(folder.glob("**/*.tsv")):
        try:
            table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
            seconds = pd.to_numeric(table["s"])
            memory = pd.to_numeric(table["max_rss"], errors="coerce")
            cpu = pd.to_numeric(table["cpu_time"], errors="coerce")
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{path} is no benchmark table of Snakemake ({error}); delete it."
            ) from None
        rule, _, name = path.relative_to(folder).with_suffix("").as_posix().partition("/")
        ended = path.stat().st_mtime
        jobs += [
            Job(rule, name, s, c, m, ended) for s, c, m in zip(seconds, cpu, memory, strict=True)
        ]
    return jobs


def rule_costs(jobs: Iterable[Job], given: Mapping[str, Mapping[str, Any]]) -> list[RuleCost]:
    """Add up the jobs of each rule, the costliest first.

    Parameters
    ----------
    jobs
        The jobs.
    given
        What the run gave to the jobs of a rule; see `runs.allotted`.
    """
    columns = ["rule", "seconds", "cpu_seconds", "memory", "core_seconds", "gpu_seconds"]
    rows = []
    for job in jobs:
        had = allotted(given, job.rule, job.name)
        reserved = {
            "core_seconds": job.seconds * had.get("cores", float("nan")),
            "gpu_seconds": job.seconds * had.get("gpus", float("nan")),
        }
        rows.append(vars(job) | reserved)
    table = pd.DataFrame(rows, columns=columns)
    costs = [
        RuleCost(
            rule=str(rule),
            jobs=len(group),
            seconds=float(group["seconds"].sum()),
            longest=float(group["seconds"].max()),
            cpu_seconds=float(group["cpu_seconds"].sum(min_count=1)),
            core_seconds=float(group["core_seconds"].sum(min_count=1)),
            gpu_seconds=float(group["gpu_seconds"].sum(min_count=1)),
            memory=float(group["memory"].max()),
        )
        for rule, group in table.groupby("rule")
    ]
    return sorted(costs, key=lambda cost: (-cost.seconds, cost.rule))


def busy_seconds(jobs: Iterable[Job]) -> float:
    """Seconds in which at least one job ran: jobs side by side count once, pauses not at all."""
    busy, last = 0.0, float("-inf")
    for start, end in sorted((job.ended - job.seconds, job.ended) for job in jobs):
        busy += max(0.0, end - max(start, last))
        last = max(last, end)
    return busy


def package_versions(
    given: Mapping[str, str], cards: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Name -> version: what was given, what is installed here, and torch of the trainings.

    Rules may run in environments of their own; what this one has not is left out.
    """
    versions = dict(given)
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    trained = sorted({str(card["torch"]) for card in cards if card.get("torch")})
    if trained:
        versions["torch (of the trainings)"] = ", ".join(trained)
    return versions


def machine(cards: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Words for the machine that wrote the report, and for the devices that trained the models."""
    facts = {
        "System": platform.platform(),
        "Processor": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        facts["Memory"] = f"{memory / 2**30:.0f} GiB"
    devices = sorted({str(card["machine"]) for card in cards if card.get("machine")})
    facts["Trained on"] = ", ".join(devices) or "not recorded"
    return facts
