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

PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow", "torch", "safetensors", "antspyx", "nibabel", "nilearn",
    "scikit-image", "torchmetrics", "pydicom", "dcm2niix", "matplotlib", "Pillow", "Jinja2",
    "PyYAML",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One job of a rule, as Snakemake's benchmark file tells it.

    Attributes
    ----------
    seconds
        Wall-clock time.
    memory
        Largest resident set in MB; not a number where the job was too short to be measured.
    ended
        When its benchmark file was written, seconds since the epoch.
    """

    rule: str
    seconds: float
    memory: float
    ended: float


@dataclass(frozen=True)
class RuleCost:
    """All jobs of a rule: how many, their seconds together and at most, memory at most (MB)."""

    rule: str
    jobs: int
    seconds: float
    longest: float
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
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{path} is no benchmark table of Snakemake ({error}); delete it."
            ) from None
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        ended = path.stat().st_mtime
        jobs += [Job(rule, s, m, ended) for s, m in zip(seconds, memory, strict=True)]
    return jobs


def rule_costs(jobs: Iterable[Job]) -> list[RuleCost]:
    """Add up the jobs of each rule, the costliest first."""
    table = pd.DataFrame([vars(job) for job in jobs], columns=["rule", "seconds", "memory"])
    costs = [
        RuleCost(
            rule=str(rule),
            jobs=len(group),
            seconds=float(group["seconds"].sum()),
            longest=float(group["seconds"].max()),
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
