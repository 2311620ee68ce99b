"""Why something would run, in plain words: what begins, what follows, what stays."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline_lib.compare.layout import INDENT, WIDTH, listed, paragraph
from pipeline_lib.why.causes import Cause, Code, causes_of
from pipeline_lib.why.plan import Job, in_order
from pipeline_lib.why.records import Record, Records

# Names of one kind, and files, that are told one by one.
NAMES = 4
# What the jobs of a rule differ in, most of all first, and its plural.
UNITS = {"session": "sessions", "patient": "patients", "model": "models"}


@dataclass(frozen=True)
class Group:
    """Jobs of one rule that would run for the same causes, and what follows them."""

    jobs: tuple[Job, ...]
    causes: tuple[Cause, ...]
    followers: Mapping[str, int]


def explain(
    target: str, plan: Sequence[Job], records: Records, code: Code, everything: bool
) -> str:
    """Write why a target would be made.

    Parameters
    ----------
    plan
        See `asking.ask`.
    records, code
        Of the last runs, to compare with.
    everything
        Tell all names, not the first ones.
    """
    limit = None if everything else NAMES
    made = {output for job in plan for output in job.outputs}
    begins = [name for job in plan for name in job.inputs] if plan else [target]
    kept = records.reached(begins, but=made)
    if not plan:
        lines = [f"{target} is up to date: nothing would run."]
    else:
        jobs = "1 job" if len(plan) == 1 else f"{len(plan):,} jobs"
        lines = [f"For {target}, {jobs} would run."]
        for number, group in enumerate(grouped(plan, records, code), 1):
            lines += ["", *_group(number, group, limit)]
    if kept:
        lines += ["", *paragraph(f"Not again: {counted(_jobs_of(kept))}.", indent="")]
    return "\n".join(lines)


def grouped(plan: Sequence[Job], records: Records, code: Code) -> list[Group]:
    """Group the jobs that run for a cause of their own, in the order of their run."""
    jobs = in_order(plan)
    found: dict[tuple[str, ...], list[tuple[Job, list[Cause]]]] = {}
    for job in jobs:
        record = records.of(job.outputs[0]) if job.outputs else None
        causes = causes_of(job, record, code)
        if causes:
            key = (job.rule, *(cause.text for cause in causes))
            found.setdefault(key, []).append((job, causes))
    users: dict[str, list[Job]] = {}
    for job in jobs:
        for name in job.inputs:
            users.setdefault(name, []).append(job)
    return [
        Group(
            jobs=tuple(job for job, _ in members),
            causes=tuple(map(_joined, zip(*(causes for _, causes in members), strict=True))),
            followers=_followers([job for job, _ in members], jobs, users),
        )
        for members in found.values()
    ]


def _joined(causes: Sequence[Cause]) -> Cause:
    files = dict.fromkeys(file for cause in causes for file in cause.files)
    return Cause(causes[0].text, tuple(files))


def _followers(
    members: Sequence[Job], jobs: Sequence[Job], users: Mapping[str, Sequence[Job]]
) -> dict[str, int]:
    """Count by rule, in the order of the run, the jobs after these."""
    begun = {id(job) for job in members}
    reached = set(begun)
    waiting = list(members)
    while waiting:
        for output in waiting.pop().outputs:
            for user in users.get(output, ()):
                if id(user) not in reached:
                    reached.add(id(user))
                    waiting.append(user)
    return dict(Counter(job.rule for job in jobs if id(job) in reached - begun))


def _group(number: int, group: Group, limit: int | None) -> Iterator[str]:
    told = "; ".join(_with_files(cause, limit) for cause in group.causes)
    text = f"{number}. {described(group.jobs, limit)}, because {told}."
    yield from textwrap.wrap(text, WIDTH, subsequent_indent=INDENT, break_on_hyphens=False)
    if group.followers:
        yield from paragraph(f"Then follow: {counted(group.followers)}.", indent=INDENT)


def _with_files(cause: Cause, limit: int | None) -> str:
    return f"{cause.text}: {listed(cause.files, limit)}" if cause.files else cause.text


def described(jobs: Sequence[Job], limit: int | None) -> str:
    """Say of what a rule would run, such as `register of 12 sessions (pelvis)`."""
    rule = jobs[0].rule
    unit = next((unit for unit in UNITS if unit in jobs[0].wildcards), None)
    rest = {
        name: sorted({job.wildcards[name] for job in jobs if name in job.wildcards})
        for name in ("experiment", "dataset", "fold")
    }
    where = [*rest["experiment"], *rest["dataset"]]
    if len(rest["fold"]) > 1:
        where.append(f"{len(rest['fold'])} folds")
    if unit is None:
        return f"{rule} of {listed(where, limit)}" if where else rule
    names = sorted({job.wildcards[unit] for job in jobs})
    many = limit is not None and len(names) > limit
    of = f"{len(names):,} {UNITS[unit]}" if many else ", ".join(names)
    return f"{rule} of {of}" + (f" ({listed(where, limit)})" if where else "")


def counted(rules: Mapping[str, int]) -> str:
    """Name rules with how many of their jobs there are."""
    return ", ".join(rule if count == 1 else f"{rule} ({count:,})" for rule, count in rules.items())


def _jobs_of(records: Mapping[str, Record]) -> dict[str, int]:
    """Count by rule the jobs that made some files; each has a log of its own."""
    logs = {(record.rule, record.log) for record in records.values()}
    return dict(sorted(Counter(rule for rule, _ in logs).items()))
