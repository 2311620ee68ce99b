"""The metadata of a crate: a results folder in the words of Provenance Run Crate 0.5.

https://www.researchobject.org/workflow-run-crate/profiles/provenance_run_crate
"""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline_lib.crate.actions import Given, run_actions
from pipeline_lib.crate.contents import CONFIGURATION, README, RUNS, Contents
from pipeline_lib.crate.costs import counted
from pipeline_lib.crate.entities import (
    CONTEXT,
    PROFILES,
    Entity,
    descriptor_and_profiles,
    entity,
    to,
    to_all,
)
from pipeline_lib.crate.tools import LANGUAGE, engine, software, steps, tools

WORKFLOW = "Snakefile"
KINDS = {
    "LICENSE": "text/plain",
    "Snakefile": "text/x-python",
    ".smk": "text/x-python",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
    ".npy": "application/octet-stream",
    ".gz": "application/gzip",
}


@dataclass(frozen=True)
class Signed:
    """Who answers for a crate: its licence (a URL), and who ran the workflow, if told."""

    licence: str
    agent: str | None
    orcid: str | None

    @property
    def person(self) -> list[Entity]:
        """The agent as an entity; none if not told."""
        return [entity(self.orcid or "#agent", "Person", name=self.agent)] if self.agent else []


def metadata_of(contents: Contents, signed: Signed) -> dict[str, Any]:
    """Make the JSON-LD document of a crate."""
    files = [_file(path, content) for path, content in contents.files.items()]
    copied = {each["@id"] for each in files}
    inputs = _inputs(contents.configuration)
    outputs = [_output(contents.folder, path, copied) for path in contents.results]
    made, used = tools(contents), software(contents)
    given = Given(inputs=[to(CONFIGURATION), *to_all(inputs)], outputs=outputs, agent=signed.person)
    actions, measured = run_actions(contents, given)
    parameters = _parameters(inputs, outputs)
    workflow = _workflow(contents, made, parameters, signed)
    mentioned = [each for each in actions if each["@type"] == "CreateAction"]
    root = entity(
        "./",
        "Dataset",
        name="A run of Recontrast",
        description=_description(contents),
        datePublished=datetime.now(UTC).date().isoformat(),
        license=to(signed.licence),
        author=to_all(signed.person),
        conformsTo=[to(url) for url in PROFILES],
        mainEntity=to(WORKFLOW),
        hasPart=to_all([*files, *(each for each in outputs if each["@id"] in copied)]),
        mentions=to_all(mentioned),
    )
    files = [each for each in files if each["@id"] != WORKFLOW]
    exampled = {parameter["workExample"]["@id"]: parameter["@id"] for parameter in parameters}
    named = {each["@id"]: each for each in [*files, *inputs, *outputs]}
    for identifier, parameter in exampled.items():
        named[identifier]["exampleOfWork"] = to(parameter)
    return {
        "@context": CONTEXT,
        "@graph": [
            *descriptor_and_profiles(),
            root,
            entity(signed.licence, "CreativeWork", name=signed.licence.rsplit("/", 1)[-1],
                   description="Licence of this crate."),
            workflow, LANGUAGE, engine(contents), *steps(contents), *made, *used, *parameters,
            *named.values(), *signed.person, *actions, *measured,
        ],
    }  # fmt: skip


def _workflow(
    contents: Contents, made: list[Entity], parameters: list[Entity], signed: Signed
) -> Entity:
    commit = contents.runs[-1].get("commit")
    changed = " with changes that were not committed" if contents.runs[-1].get("dirty") else ""
    found = "" if contents.commit else "; git did not know it here, so these are the latest files"
    return entity(
        WORKFLOW,
        ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        name="Recontrast",
        description="From raw MR scans to evaluated contrast-transfer models. Commit of the last "
        f"run: {commit or 'not known'}{changed}{found}.",
        version=commit,
        conformsTo=to("https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"),
        encodingFormat=KINDS["Snakefile"],
        contentSize=str(_size(contents.files[WORKFLOW])),
        programmingLanguage=to(LANGUAGE["@id"]),
        hasPart=to_all(made),
        step=to_all(steps(contents)),
        input=to_all(each for each in parameters if each["@id"].startswith("#in-")),
        output=to_all(each for each in parameters if each["@id"].startswith("#out-")),
    )


def _description(contents: Contents) -> str:
    last = contents.runs[-1]
    ended = last.get("ended", "an end that was not recorded")
    return (
        f"{counted(len(contents.jobs), 'job')} in {counted(len(contents.runs), 'run')}, the last "
        f"from {last['started']} to {ended}. Results that are not in this crate are named as they "
        "lie in the results folder."
    )


def _inputs(configuration: Mapping[str, Any]) -> list[Entity]:
    """Name the datasets that a run read or simulated."""
    kinds = {
        "virtual": "Virtual patients, simulated by this workflow.",
        "bids": "Scans from a BIDS folder; not part of this crate.",
        "dicom": "Scans from DICOM folders; not part of this crate.",
        "pictures": "Pictures; not part of this crate.",
    }
    return [
        entity(f"#dataset-{name}", "Dataset", name=name, description=kinds.get(kind))
        for name, settings in configuration.get("datasets", {}).items()
        for kind in [next((kind for kind in kinds if kind in settings), "")]
    ]


def _output(folder: Path, path: str, copied: set[str]) -> Entity:
    """Name a result: the copy in the crate, or what lies in the results folder."""
    found, inside = folder / path, f"results/{path}"
    if inside in copied:
        return _file(inside, found)
    if found.is_dir():
        return entity(
            f"#results/{path}", "Dataset", name=f"results/{path}",
            description=f"What the stage {path} made; not part of this crate.",
        )  # fmt: skip
    described = _file(inside, found)
    return described | {
        "@id": f"#results/{path}",
        "@type": "CreativeWork",
        "description": "Not part of this crate.",
    }


def _file(path: str, content: bytes | Path) -> Entity:
    about = {
        CONFIGURATION: "The resolved configuration of the last run, every default filled in.",
        RUNS: "Every run: code, versions of all packages, machine, start and end.",
    }
    data = content if isinstance(content, bytes) else None
    if isinstance(content, Path):
        with content.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    else:
        digest = hashlib.sha256(data or b"").hexdigest()
    name = Path(path)
    return entity(
        path,
        "File",
        name=path,
        description=about.get(path),
        about=to("./") if path == README else None,
        encodingFormat=KINDS.get(name.suffix or name.name)
        or mimetypes.guess_type(path)[0]
        or "application/octet-stream",
        contentSize=str(_size(content)),
        sha256=digest,
    )


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _parameters(inputs: list[Entity], outputs: list[Entity]) -> list[Entity]:
    """Describe what goes into the workflow and what comes out, each with what it was here."""
    goes_in = [entity(CONFIGURATION, "File", name="configuration"), *inputs]
    return [
        entity(
            f"#{way}-{each['name']}",
            "FormalParameter",
            name=each["name"],
            additionalType="Dataset" if each["@type"] == "Dataset" else "File",
            conformsTo=to("https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"),
            workExample=to(each["@id"]),
        )
        for way, several in (("in", goes_in), ("out", outputs))
        for each in several
        if each["@type"] in ("File", "Dataset")  # the profile takes no file that is elsewhere
    ]
