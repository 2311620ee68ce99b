"""The software of a crate: the engine, the stages that it calls, the packages that they use."""

from pipeline_lib.crate.contents import Contents
from pipeline_lib.crate.entities import Entity, entity, to, to_all

SNAKEMAKE = "https://snakemake.readthedocs.io"
LANGUAGE = entity(
    "https://w3id.org/workflowhub/workflow-ro-crate#snakemake",
    "ComputerLanguage",
    name="Snakemake",
    identifier=to("https://doi.org/10.1093/bioinformatics/bts480"),
    url=to(SNAKEMAKE),
)


def engine(contents: Contents) -> Entity:
    """Describe Snakemake as it ran last."""
    version = contents.runs[-1].get("versions", {}).get("snakemake")
    return entity(
        SNAKEMAKE, "SoftwareApplication", name="Snakemake", url=SNAKEMAKE, softwareVersion=version
    )


def tool_id(rule: str, code: str) -> str:
    """Name a stage as it was when its code had this digest."""
    return f"#stage-{rule}-{code.partition('@')[2] or 'unknown'}"


def step_id(rule: str) -> str:
    """Name a rule as a step of the workflow."""
    return f"#step-{rule}"


def tools(contents: Contents) -> list[Entity]:
    """Describe every stage in each version of its code that made something."""
    environments = [to(f"#environment-{name}") for name in _packages(contents)]
    return [
        entity(
            tool_id(rule, code),
            "SoftwareApplication",
            name=f"recontrast {rule}",
            description=f"The module pipeline_lib.stages.{code.partition('@')[0] or rule}.",
            softwareVersion=code.partition("@")[2] or "not recorded",
            softwareRequirements=environments,
        )
        for rule, code in dict.fromkeys((job.rule, job.code) for job in contents.jobs)
    ]


def software(contents: Contents) -> list[Entity]:
    """Describe the environments that the stages ran in, and their packages."""
    found: dict[str, Entity] = {}
    for environment, versions in _packages(contents).items():
        packages = [
            entity(
                f"https://pypi.org/project/{name}/{version}/",
                "SoftwareApplication",
                name=name,
                url=f"https://pypi.org/project/{name}/",
                softwareVersion=version,
            )
            for name, version in versions.items()
            if name != "python"
        ]
        whole = entity(
            f"#environment-{environment}",
            "SoftwareApplication",
            name=f"Python, environment {environment}",
            url="https://www.python.org",
            softwareVersion=versions.get("python"),
            softwareRequirements=to_all(packages),
        )
        found |= {each["@id"]: each for each in [whole, *packages]}
    return list(found.values())


def _packages(contents: Contents) -> dict[str, dict[str, str]]:
    """Give the versions of the last run, by environment, without Snakemake's own."""
    environments = contents.runs[-1].get("packages", {})
    return {name: versions for name, versions in environments.items() if name != "driver"}


def steps(contents: Contents) -> list[Entity]:
    """Describe the rules as steps of the workflow, each with its stage."""
    return [
        entity(
            step_id(rule),
            "HowToStep",
            name=rule,
            position=str(place),
            workExample=[
                to(tool_id(rule, code))
                for code in dict.fromkeys(job.code for job in contents.jobs if job.rule == rule)
            ],
        )
        for place, rule in enumerate(contents.stages, start=1)
    ]
