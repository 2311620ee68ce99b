"""Check a configuration before any job starts, and fill in what it leaves to the defaults."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from pipeline_lib.checks import (
    dataset_problems,
    experiment_problems,
    listed,
    model_in_experiment_problems,
)
from pipeline_lib.composition import composed, without_absent
from pipeline_lib.drawn import draw_contrasts, draw_pairs, draw_unseen
from pipeline_lib.errors import InputError, did_you_mean

TYPE_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a section of settings",
    "null": "null",
}
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minItems": "a list of at least {} entries",
    "maxItems": "a list of at most {} entries",
    "minProperties": "a section with at least {} entry",
}


def read_configuration(config: Mapping[str, Any], root: Path) -> tuple[dict[str, Any], list[str]]:
    """Give the complete configuration, with what it includes and without what is absent.

    Parameters
    ----------
    config
        As read from YAML; `include:` names files in the working directory or else below `root`.
    root
        Folder of the project, which holds the schema and the scales.

    Returns
    -------
        The configuration (see `resolve`), and a sentence for each thing that was done without (see
        `composition.without_absent`).

    Raises
    ------
    InputError
        See `resolve` and `composition.composed`; also if an included file is missing.
    """

    def included(name: str) -> Mapping[str, Any]:
        for path in (Path(name), root / name):
            if path.is_file():
                return yaml.safe_load(path.read_text()) or {}
        raise InputError(
            f"{name}, which the configuration includes, is not there; correct its path."
        )

    complete, notices = without_absent(composed(config, included))
    schema = yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text())
    scales = yaml.safe_load((root / "config/scales.yaml").read_text())
    return resolve(complete, schema, scales), notices


def resolve(config: Mapping[str, Any], schema: dict, scales: Mapping[str, Any]) -> dict[str, Any]:
    """Give the complete configuration: checked, with every default and every model's settings.

    The sections come in one fixed order of keys, so that the same settings written in another
    order give the same text; the order of contrasts, experiments and models is the user's.

    Parameters
    ----------
    config
        As read from YAML.
    schema
        workflow/schemas/config.schema.yaml.
    scales
        config/scales.yaml: scale -> system -> settings.

    Raises
    ------
    InputError
        With one sentence for each problem: the setting, what it is, what is allowed, and the
        nearest spelling.
    """
    problems = list(_schema_problems(config, schema))
    _stop_on(problems)
    complete = _with_defaults(config, schema, schema)
    _draw(complete)
    problems += dataset_problems(complete["datasets"])
    problems += experiment_problems(complete)
    problems += _model_problems(complete, scales)
    _stop_on(problems)
    _resolve_models(complete, scales)
    _stop_on(list(model_in_experiment_problems(complete)))
    return complete


def _draw(config: dict[str, Any]) -> None:
    """Name what is to be drawn; without pairs every contrast goes to every one."""
    seed, datasets = config["seed"], config["datasets"]
    for name, dataset in datasets.items():
        draw_contrasts(dataset, name, seed)
    for name, experiment in config["experiments"].items():
        dataset = datasets.get(experiment["dataset"])
        if dataset is None:
            continue  # told below
        contrasts = list(dataset["contrasts"])
        every = [[source, target] for source in contrasts for target in contrasts]
        asked = experiment.setdefault("pairs", every)
        sources = asked.get("sources", []) if isinstance(asked, Mapping) else []
        draw_unseen(experiment, name, contrasts, [dataset["reference"], *sources], seed)
        draw_pairs(experiment, name, contrasts, seed)


def _stop_on(problems: list[str]) -> None:
    if problems:
        raise InputError("\n".join(["The configuration can't be used.", *problems]))


def _schema_problems(config: Mapping[str, Any], schema: dict) -> Iterator[str]:
    validator = jsonschema.Draft202012Validator(schema)
    for error in sorted(
        validator.iter_errors(config), key=lambda error: list(map(str, error.path))
    ):
        yield from _sentences(error)


def _sentences(error: jsonschema.ValidationError) -> Iterator[str]:
    setting = ".".join(str(step) for step in error.absolute_path)
    here = f"{setting}." if setting else ""
    value, rule = error.instance, error.validator
    if rule == "additionalProperties":
        allowed = list(error.schema["properties"])
        for key in value:
            if key not in allowed:
                yield (
                    f"{here}{key} is no setting;"
                    f" allowed there: {listed(allowed)}{did_you_mean(key, allowed)}."
                )
    elif rule == "enum":
        allowed = error.validator_value
        yield f"{setting} is {value!r}; allowed: {listed(allowed)}{did_you_mean(value, allowed)}."
    elif rule == "type":
        types = error.validator_value
        types = [types] if isinstance(types, str) else types
        wanted = " or ".join(TYPE_WORDS[name] for name in types)
        yield f"{setting or 'the file'} is {value!r}; it must be {wanted}.{_number_hint(value)}"
    elif rule == "required":
        missing = [key for key in error.validator_value if key not in value]
        yield f"{setting or 'the file'} lacks {listed(missing)}, which it needs."
    elif rule in LIMITS:
        yield f"{setting} is {value!r}; it must be {LIMITS[rule].format(error.validator_value)}."
    elif rule == "pattern":
        yield f"{setting}: '{value}' must be {error.schema['description']}."
    else:
        yield f"{setting} is {value!r}: {error.message}."


def _number_hint(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    # YAML reads 2e-4 as text; a mantissa with a point makes it a number.
    mantissa, _, exponent = value.lower().partition("e")
    written = f"{float(mantissa)}e{exponent}" if exponent else f"{number:g}"
    return f" Write {written}, without quotes."


def _with_defaults(value: Any, schema: dict, root: dict) -> Any:
    """Fill the defaults of the schema, keys in the schema's order (a named map's in the user's)."""
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        schema = {**target, **{key: schema[key] for key in schema if key != "$ref"}}
    if value is None and "object" in schema.get("type", ()) and "null" in schema.get("type", ()):
        value = {}
    if not isinstance(value, Mapping):
        return deepcopy(value)
    known = schema.get("properties", {})
    filled: dict[str, Any] = {}
    for key, child in known.items():
        if key in value:
            filled[key] = _with_defaults(value[key], child, root)
        else:
            target = root["$defs"][child["$ref"].rsplit("/", 1)[1]] if "$ref" in child else child
            default = child.get("default", target.get("default", _NOTHING))
            if default is not _NOTHING:
                filled[key] = _with_defaults(default, child, root)
    others = schema.get("additionalProperties")
    for key in value:
        if key not in known:
            child = others if isinstance(others, dict) else {}
            filled[key] = _with_defaults(value[key], child, root)
    return filled


_NOTHING = object()


def _model_problems(config: Mapping[str, Any], scales: Mapping[str, Any]) -> Iterator[str]:
    for name, model in config["models"].items():
        preset = _preset(model, config["scale"], scales)
        for key, value in model.items():
            if key in ("system", "scale"):
                continue
            here = f"models.{name}.{key}"
            if key not in preset:
                hint = did_you_mean(key, preset)
                yield f"{here} is no setting; allowed there: {listed(preset)}{hint}."
            elif not _same_kind(value, preset[key]):
                yield (
                    f"{here} is {value!r}; it must be like {preset[key]!r}, its value in "
                    f"config/scales.yaml.{_number_hint(value)}"
                )


def _preset(model: Mapping[str, Any], scale: str, scales: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a system at a scale: its own beside, or instead of, those of every one."""
    of_scale = scales[model.get("scale", scale)]
    return {**of_scale["every_system"], **of_scale[model["system"]]}


def _same_kind(value: Any, example: Any) -> bool:
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    if isinstance(example, int | float):
        whole = isinstance(example, int)
        return isinstance(value, int) or (isinstance(value, float) and not whole)
    return isinstance(value, type(example))


def _resolve_models(config: dict[str, Any], scales: Mapping[str, Any]) -> None:
    for name, model in config["models"].items():
        scale = model.get("scale", config["scale"])
        preset = _preset(model, scale, scales)
        own = {key: model.get(key, value) for key, value in preset.items()}
        config["models"][name] = {
            "name": name, "system": model["system"], "scale": scale, **own,
        }  # fmt: skip
