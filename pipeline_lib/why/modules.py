"""Of which modules the stages' code was made, run by run, so that a change can be named.

Standard library only: the Snakefile imports it. A job's params hold one digest of all code that
its stage reaches; which module made it another one, only a record of the modules can say.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json, write_json
from pipeline_lib.provenance import PACKAGE, code_digest, module_digests

RECORD = "code.json"
# Other code is another entry, of some 15 kB; older ones than these are forgotten.
KEPT = 100
# Digits of a module's digest: enough to tell two versions of one module apart.
DIGITS = 12

Version = Mapping[str, Mapping[str, str]]


def present_version(stages: Iterable[str], root: str | Path) -> Version:
    """Give the digest of each stage, `{stages: {...}}`, and of all modules, `{modules: {...}}`."""
    modules: dict[str, str] = {}
    digests = {}
    for stage in sorted(stages):
        name = f"{PACKAGE}.stages.{stage}"
        digests[stage] = code_digest(name, root)
        modules |= module_digests(name, root)
    return {
        "stages": digests,
        "modules": {name: modules[name][:DIGITS] for name in sorted(modules)},
    }


def record_code(results: str | Path, root: str | Path) -> None:
    """Add the code of all stages to a results folder's record, if it isn't what is there last."""
    path = Path(results) / RECORD
    present = present_version(stage_names(root), root)
    versions = read_versions(path)
    if not versions or versions[-1] != present:
        write_json(path, {"versions": [*versions, present][-KEPT:]})


def stage_names(root: str | Path) -> list[str]:
    """Names of all stages, and of what their command lines share."""
    folder = Path(root) / PACKAGE / "stages"
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def read_versions(path: str | Path) -> list[Version]:
    """Read the record, the oldest first; none where it is missing or of another form."""
    try:
        content: Any = read_json(path)
        return [
            {"stages": dict(version["stages"]), "modules": dict(version["modules"])}
            for version in content["versions"]
        ]
    except (InputError, KeyError, TypeError, ValueError):
        return []


def changed_modules(
    stage: str, digest: str, versions: Iterable[Version], root: str | Path
) -> list[str] | None:
    """Name the modules that made another code of a stage since it had a digest.

    Parameters
    ----------
    stage
        Name such as `register`; one that is gone has changed with its own module.
    digest
        As a job's params recorded it.
    versions
        See `read_versions`.
    root
        Folder that holds the package as it is now.

    Returns
    -------
        Dotted names, or `None` where the record doesn't know that digest.
    """
    recorded = [version for version in versions if version["stages"].get(stage) == digest]
    if not recorded:
        return None
    if stage not in stage_names(root):
        return [f"{PACKAGE}.stages.{stage}"]
    before = recorded[-1]["modules"]
    now = present_version([stage], root)["modules"]
    return [name for name in now if now[name] != before.get(name)]
