"""What `recontrast simulate` is asked for, as a complete dataset of the configuration."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline_lib.composition import merged
from pipeline_lib.configuration import read_configuration, resolve
from pipeline_lib.errors import InputError, did_you_mean
from pipeline_lib.phantom.command import PATIENTS
from pipeline_lib.phantom.options import patient_names, simulation_options

DEFAULT_PROTOCOL, DEFAULT_NAME = "simko2021", "virtual"
# Arguments that are settings of the section `virtual`, of the same names.
VIRTUAL = (
    "anatomy", "patients", "label_file", "field_strength", "size", "spacing", "slice_thickness",
    "signal", "noise", "bias_field", "b1_field", "b0_field", "bandwidth", "k_space",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """Patients to make.

    Attributes
    ----------
    patients
        Their names.
    options
        What they are made from; see `options.simulation_options`.
    """

    patients: list[str]
    options: dict[str, Any]


def requested(arguments: argparse.Namespace, root: Path) -> Request:
    """Complete and check what the command line asks for.

    Parameters
    ----------
    arguments
        Of `command.add_arguments`.
    root
        Folder of the project, which holds the schema and the papers' experiments.

    Raises
    ------
    InputError
        If a setting is wrong or at odds with another, or a file can't be read.
    """
    if arguments.config:
        name, seed, dataset = _from_configuration(arguments, root)
    else:
        name, seed, dataset = _from_arguments(arguments, root)
    return Request(patient_names(dataset), simulation_options(seed, name, dataset))


def _from_configuration(
    arguments: argparse.Namespace, root: Path
) -> tuple[str, int, dict[str, Any]]:
    if arguments.protocol or arguments.contrast:
        raise InputError("--config has contrasts of its own; leave out --protocol and --contrast.")
    file: Path = arguments.config
    if not file.is_file():
        raise InputError(f"{file} is not there; correct --config.")
    given: dict[str, Any] = {"include": [str(file)]}
    if arguments.seed is not None:
        given["seed"] = arguments.seed
    if arguments.scale:
        given["scale"] = arguments.scale
    datasets = _read(given, root)[0]["datasets"]
    virtual = [name for name, dataset in datasets.items() if "virtual" in dataset]
    if not virtual:
        raise InputError(f"{file} has no virtual dataset; choose another configuration.")
    name: str = arguments.dataset or (virtual[0] if len(virtual) == 1 else "")
    if name not in virtual:
        problem = f"no virtual dataset {name}" if name else f"{len(virtual)} virtual datasets"
        hint = did_you_mean(name, virtual) if name else ""
        raise InputError(
            f"{file} has {problem}{hint}; set --dataset to one of {', '.join(virtual)}."
        )
    given["datasets"] = {name: _dataset(arguments)}
    configuration, notices = _read(given, root)
    _tell(notices, name)
    return name, configuration["seed"], configuration["datasets"][name]


def _from_arguments(arguments: argparse.Namespace, root: Path) -> tuple[str, int, dict[str, Any]]:
    if arguments.scale:
        raise InputError("--scale is that of a configuration; give --config too, or --size.")
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    protocol = arguments.protocol or (None if arguments.contrast else DEFAULT_PROTOCOL)
    name = arguments.dataset or protocol or DEFAULT_NAME
    given = _dataset(arguments)
    base: dict[str, Any] = {"virtual": {"anatomy": "pelvis", "patients": PATIENTS}}
    if protocol:
        file = f"config/experiments/{protocol}.yaml"
        published, notices = _read({"include": [file], **seed}, root)
        dataset = published["datasets"][protocol]
        base["contrasts"], base["reference"] = dataset["contrasts"], dataset["reference"]
        base["virtual"] |= {key: dataset["virtual"][key] for key in ("anatomy", "label_file")}
        if "anatomy" in given["virtual"]:
            base["virtual"]["label_file"] = None
        else:
            _tell(notices, protocol)
    else:
        base["reference"] = next(iter(given["contrasts"]))
    schema = yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text())
    del schema["properties"]["experiments"]["minProperties"]
    alone = {**seed, "datasets": {name: merged(base, given)}, "experiments": {}}
    try:
        configuration = resolve(alone, schema, scales={})
    except InputError as error:
        # Where a setting stands in a file says nothing to those who wrote none.
        _, *sentences = str(error).splitlines()
        text = " ".join(sentences).replace(f"datasets.{name}.virtual.", "")
        raise InputError(text.replace(f"datasets.{name}.", "")) from None
    return name, configuration["seed"], configuration["datasets"][name]


def _dataset(arguments: argparse.Namespace) -> dict[str, Any]:
    """Give the settings of a dataset that the command line names, and no others."""
    virtual = {key: getattr(arguments, key) for key in VIRTUAL}
    virtual = {key: value for key, value in virtual.items() if value is not None}
    if arguments.motion:
        virtual["motion"] = dict(zip(("translation", "rotation"), arguments.motion, strict=True))
    given: dict[str, Any] = {"virtual": virtual}
    if arguments.contrast:
        given["contrasts"] = dict(arguments.contrast)
    if arguments.reference:
        given["reference"] = arguments.reference
    return given


def _read(config: Mapping[str, Any], root: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        return read_configuration(config, root)
    except yaml.YAMLError as error:
        words = " ".join(str(error).split())
        raise InputError(f"{config['include'][0]} is no YAML: {words}; correct it.") from None


def _tell(notices: list[str], dataset: str) -> None:
    """Say what the configuration does without, as far as it concerns a dataset."""
    for notice in notices:
        if dataset in notice:
            sys.stderr.write(f"{notice}\n")
