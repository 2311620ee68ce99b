"""Why a job would run: what changed since it ran last, in words."""

import ast
import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline_lib.compare.layout import shortened
from pipeline_lib.compare.settings import ABSENT, setting_differences
from pipeline_lib.why.modules import Version, changed_modules, present_version
from pipeline_lib.why.plan import Job
from pipeline_lib.why.records import Params, Record, sort_params

# The options in a command line, quoted as a shell needs it.
_OPTIONS = re.compile(r"""--options ((?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+)""")
# How the command of a stage begins that runs for all members of a batch.
EACH = "pipeline_lib.each "
# Of a setting's value, so many characters.
VALUE_LENGTH = 60
# Where the sections that a rule reads stand in the configuration. (A report reads all of it, and
# what is drawn from it besides.)
_OF_DATASET = (
    "virtual", "contrasts", "reference", "correct_bias", "register", "segment", "scale", "slices",
)  # fmt: skip
_OF_EXPERIMENT = ("dataset", "split", "pairs", "unseen", "paper", "unpairing")
PLACES = (
    {name: f"datasets.{{dataset}}.{name}" for name in _OF_DATASET}
    | {name: f"datasets.{{dataset}}.fit_maps.{name}" for name in ("gains", "noise", "rician")}
    | {"signal": "datasets.{dataset}.virtual.signal"}
    | {name: f"experiments.{{experiment}}.{name}" for name in _OF_EXPERIMENT}
    | {"model": "models.{model}", "patients": "the patients of {experiment}"}
    | {"sessions": "the sessions of {dataset}", "raw": "the raw scans of {dataset}"}
    | {"experiments": "the models of experiments", "seed": "seed", "evaluate": "evaluate"}
)


@dataclass(frozen=True)
class Cause:
    """One reason of a job.

    Attributes
    ----------
    text
        A clause that follows "because"; jobs of one rule with the same are told together.
    files
        What it is about, file by file.
    """

    text: str
    files: tuple[str, ...] = ()


class Code:
    """The code of the stages as it is, and as runs recorded it; each stage is looked at once."""

    def __init__(self, root: Path, versions: Sequence[Version]) -> None:
        self._root, self._versions = root, versions
        self.digest = cache(self._digest)
        self.cause = cache(self._cause)

    def _digest(self, stage: str) -> str | None:
        """Digest of a stage now; `None` of one that is gone."""
        try:
            return present_version([stage], self._root)["stages"][stage]
        except FileNotFoundError:
            return None

    def _cause(self, stage: str, before: str) -> Cause:
        """Say that a stage's code changed since it had a digest, and in which modules."""
        modules = changed_modules(stage, before, self._versions, self._root)
        if modules is None:
            return Cause(
                f"the code of {stage} changed (in which modules, no record of its run tells)"
            )
        named = ", ".join(modules) or "a module that it no longer imports"
        return Cause(f"the code of {stage} changed: {named}")


def causes_of(job: Job, record: Record | None, code: Code) -> list[Cause]:
    """Give the causes that are a job's own; none if it only follows others.

    Parameters
    ----------
    job
        As the dry run tells it.
    record
        Of its first output; `None` if there is none.
    code
        To tell which modules changed.
    """
    reason, follows = job.reason, "follows" in job.reason
    found: list[Cause] = []
    if "forced" in reason:
        found.append(Cause("it was asked for"))
    if "missing" in reason and not follows:
        gone = "its result is gone" if record else "it has no result yet"
        files = tuple(reason["missing"].split(", ")) if record else ()
        found.append(Cause(gone, files))
    if "incomplete" in reason:
        found.append(Cause("a run was stopped in the middle of it"))
    if reason.get("newer"):
        files = tuple(reason["newer"].split(", "))
        found.append(Cause("what it reads is newer than what it made", files))
    if "params" in reason:
        found += _changed(job, *_exclusive(reason["params"]), code)
    elif record is not None:
        found += _also_changed(job, record.params, code)
    if "inputs" in reason:
        found.append(_other_inputs(job, record))
    if "command" in reason:
        found.append(Cause(f"the command line of rule {job.rule} changed"))
    if "environment" in reason:
        found.append(
            Cause("its software environment changed (envs/*.yaml, or --use-conda given or not)")
        )
    return list(dict.fromkeys(found))


def _exclusive(text: str) -> tuple[Params, Params]:
    """Read the params that only the last run had, and those that only the next one has.

    They stand there as Python writes them, `before: 'a','b' now: <nothing exclusive>`.
    """
    _, _, told = text.partition("before: ")
    places = [place for place in range(len(told)) if told.startswith(" now: ", place)]
    for place in places:
        before, now = told[:place], told[place + len(" now: ") :]
        try:
            return sort_params(_literals(before)), sort_params(_literals(now))
        except (ValueError, SyntaxError):
            continue
    return sort_params(()), sort_params(())


def _literals(text: str) -> list[Any]:
    text = text.strip()
    return [] if text == "<nothing exclusive>" else list(ast.literal_eval(f"[{text}]"))


def _changed(job: Job, before: Params, now: Params, code: Code) -> Iterator[Cause]:
    found = list(_settings(job, before.options, now.options))
    found += [
        code.cause(stage, digest)
        for stage, digest in before.codes.items()
        if now.codes.get(stage, digest) != digest
    ]
    found += _lists(before.others, now.others)
    yield from found or [Cause("its command line is another one")]


def _also_changed(job: Job, before: Params, code: Code) -> Iterator[Cause]:
    """Say what else changed of a job that runs for another reason, which hides it from Snakemake.

    Of its options those are compared that stand in its command line.
    """
    now = _command_options(job.command)
    if "configuration" in now:
        return  # a report shows all settings; that it follows says enough
    known = {name: value for name, value in before.options.items() if name in now}
    yield from _settings(job, known, now)
    for stage, digest in before.codes.items():
        if code.digest(stage) != digest:
            yield code.cause(stage, digest)


def _command_options(command: str) -> Mapping[str, Any]:
    found = _OPTIONS.search(command)
    try:
        return sort_params(shlex.split(found[1]) if found else ()).options
    except ValueError:
        return {}


def _settings(job: Job, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Cause]:
    places = {"configuration": ""} if "configuration" in now else PLACES
    names = {
        "dataset": job.wildcards.get("dataset") or now.get("dataset") or "*",
        "experiment": job.wildcards.get("experiment", "*"),
        # A model of one pair of contrasts is trained as model.source.target.
        "model": job.wildcards.get("model", "*").partition(".")[0],
    }
    for difference in setting_differences(before, now):
        section, _, rest = difference.name.partition(".")
        if section in places:
            place = places[section].format_map(names)
            name = ".".join(part for part in (place, rest) if part)
            yield Cause(went(name, difference.first, difference.second))


def _lists(before: Collection[Any], now: Collection[Any]) -> Iterator[Cause]:
    """Say which names of files or patients a job is given or not given any longer."""
    lists = [list(filter(None, map(_as_list, side))) for side in (before, now)]
    for one, other in zip(*lists, strict=False):
        yield Cause(went("what it is given", one, other))


def _as_list(value: Any) -> list[Any]:
    """Give a list, or the words of a part of a command (files, members of a batch), or nothing."""
    if isinstance(value, str) and value.startswith((EACH, "--")):
        return value.split()
    return value if isinstance(value, list) else []


def _other_inputs(job: Job, record: Record | None) -> Cause:
    before = set(record.inputs) if record else set()
    gained = sorted(set(job.inputs) - before) if record else []
    lost = sorted(before - set(job.inputs))
    told = [f"{len(names)} {word}" for names, word in ((gained, "more"), (lost, "less")) if names]
    return Cause(f"it reads other files ({' and '.join(told) or 'than before'})", (*gained, *lost))


def went(name: str, before: Any, now: Any) -> str:
    """Say how a setting changed.

    Parameters
    ----------
    name
        Its dotted name.
    before, now
        Its values; `compare.settings.ABSENT` where there was none. Of lists of names it is said
        which came and which went.
    """
    if before is ABSENT:
        return f"{name} is new ({_written(now)})"
    if now is ABSENT:
        return f"{name} is gone (it was {_written(before)})"
    if _are_names(before) and _are_names(now):
        gained = [value for value in now if value not in before]
        lost = [value for value in before if value not in now]
        words = [f"gained {_named(gained)}"] if gained else []
        words += [f"lost {_named(lost)}"] if lost else []
        return f"{name} {' and '.join(words) or 'came in another order'}"
    return f"{name} went from {_written(before)} to {_written(now)}"


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _named(names: Collection[str]) -> str:
    return shortened(", ".join(names), VALUE_LENGTH)


def _written(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False), VALUE_LENGTH)
