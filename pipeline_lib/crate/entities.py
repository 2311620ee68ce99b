"""Entities of JSON-LD: what a crate's metadata is made of."""

from collections.abc import Iterable, Mapping
from typing import Any

Entity = dict[str, Any]
# Terms of the Workflow Run profiles that RO-Crate 1.1 does not know.
TERMS = "https://w3id.org/ro/terms/workflow-run#"
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {"resourceUsage": f"{TERMS}resourceUsage", "sha256": f"{TERMS}sha256"},
]
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}


def entity(identifier: str, kind: str | list[str], /, **properties: Any) -> Entity:
    """Make an entity; properties that are `None` or empty are left out.

    A single value stands without brackets, as RO-Crate wants it.
    """
    known = {name: value for name, value in properties.items() if value not in (None, "", [])}
    single = {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in known.items()
    }
    return {"@id": identifier, "@type": kind, **single}


def to(identifier: str) -> Entity:
    """Refer to another entity."""
    return {"@id": identifier}


def to_all(entities: Iterable[Mapping[str, Any]]) -> list[Entity]:
    """Refer to several others."""
    return [to(each["@id"]) for each in entities]


def quantity(identifier: str, name: str, value: float | int, unit: str) -> Entity:
    """Make a measured value.

    Parameters
    ----------
    unit
        UN/CEFACT code: `HUR` for hours, `4L` for megabytes, `C62` for a count.
    """
    return entity(
        identifier,
        "PropertyValue",
        name=name,
        propertyID=f"#{name.replace(' ', '-')}",
        value=value,
        unitCode=unit,
    )


def descriptor_and_profiles() -> list[Entity]:
    """Make the entities that say which standards a crate keeps."""
    standards = ["https://w3id.org/ro/crate/1.1", WORKFLOW_CRATE]
    return [
        entity(
            "ro-crate-metadata.json",
            "CreativeWork",
            about=to("./"),
            conformsTo=[to(standard) for standard in standards],
        ),
        *(
            entity(url, "CreativeWork", name=name, version=version)
            for url, (name, version) in PROFILES.items()
        ),
    ]
