"""The public validator of RO-Crates, without the network that it would ask for the context."""

import json

import pytest
import requests

# What the context of RO-Crate 1.1 says of the terms that a crate uses.
SCHEMA_ORG = (
    "about", "actionStatus", "additionalType", "agent", "author", "contentSize",
    "datePublished", "description", "encodingFormat", "endTime", "error", "exampleOfWork",
    "hasPart", "identifier", "instrument", "license", "mainEntity", "mentions", "name",
    "object", "position", "programmingLanguage", "propertyID", "result",
    "softwareRequirements", "softwareVersion", "startTime", "step", "unitCode", "url",
    "value", "version", "workExample", "ComputerLanguage", "ControlAction", "CreateAction",
    "CreativeWork", "Dataset", "HowTo", "HowToStep", "OrganizeAction", "Person",
    "PropertyValue", "SoftwareApplication", "SoftwareSourceCode",
)  # fmt: skip
BIOSCHEMAS = "https://bioschemas.org/"
CONTEXT = {
    **{term: f"http://schema.org/{term}" for term in SCHEMA_ORG},
    "File": "http://schema.org/MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": f"{BIOSCHEMAS}ComputationalWorkflow",
    "FormalParameter": f"{BIOSCHEMAS}FormalParameter",
    "input": f"{BIOSCHEMAS}ComputationalWorkflow#input",
    "output": f"{BIOSCHEMAS}ComputationalWorkflow#output",
}


def _answer(_, url, *arguments, **options):
    """Answer as the network would for the context, and nothing else."""
    response = requests.Response()
    response.url = url
    response.status_code = 200 if url == "https://w3id.org/ro/crate/1.1/context" else 404
    response.headers["Content-Type"] = "application/ld+json"
    response._content = json.dumps({"@context": CONTEXT}).encode()
    return response


def problems(crate, patch):
    """Say what the validator holds against a crate as a Provenance Run Crate 0.5, if required."""
    why = "the public validator is not installed: pip install roc-validator==0.13.0"
    services = pytest.importorskip("rocrate_validator.services", reason=why)
    http = pytest.importorskip("rocrate_validator.utils.http")
    for name in ("get", "head", "fetch_fresh"):
        patch.setattr(http.HttpRequester, name, _answer, raising=False)
    settings = services.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier="provenance-run-crate-0.5",
        requirement_severity="REQUIRED",
    )
    issues = services.validate(settings).get_issues()
    return [f"{issue.violatingEntity}: {issue.message}" for issue in issues]
