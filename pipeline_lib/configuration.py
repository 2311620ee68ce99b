"""Check a configuration before any job starts, and fill in what it leaves to the defaults."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import jsonschema

from pipeline_lib.errors import InputError, did_you_mean
from pipeline_lib.signal.sequences import Sequence

ONE_PAIR = ("alkan", "pgan", "ptnet", "resvit")
KINDS = ("virtual", "bids", "dicom")
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
    problems += _dataset_problems(complete["datasets"])
    problems += _experiment_problems(complete)
    problems += _model_problems(complete, scales)
    _stop_on(problems)
    _resolve_models(complete, scales)
    _stop_on(list(_one_pair_problems(complete)))
    return complete


def _stop_on(problems: list[str]) -> None:
    if problems:
        raise InputError("\n".join(["The configuration can't be used.", *problems]))


def _listed(words: Iterable[Any]) -> str:
    return ", ".join(str(word) for word in words)


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
                    f" allowed there: {_listed(allowed)}{did_you_mean(key, allowed)}."
                )
    elif rule == "enum":
        allowed = error.validator_value
        yield f"{setting} is {value!r}; allowed: {_listed(allowed)}{did_you_mean(value, allowed)}."
    elif rule == "type":
        types = error.validator_value
        types = [types] if isinstance(types, str) else types
        wanted = " or ".join(TYPE_WORDS[name] for name in types)
        yield f"{setting or 'the file'} is {value!r}; it must be {wanted}.{_number_hint(value)}"
    elif rule == "required":
        missing = [key for key in error.validator_value if key not in value]
        yield f"{setting or 'the file'} lacks {_listed(missing)}, which it needs."
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


def kind_of(dataset: Mapping[str, Any]) -> str:
    """Say where a dataset's scans come from: `virtual`, `bids` or `dicom`."""
    return next(kind for kind in KINDS if kind in dataset)


def _dataset_problems(datasets: Mapping[str, Any]) -> Iterator[str]:
    for name, dataset in datasets.items():
        here = f"datasets.{name}"
        given = [kind for kind in KINDS if kind in dataset]
        if len(given) != 1:
            said = _listed(given) if given else "none"
            yield f"{here} needs exactly one of {_listed(KINDS)}; it has {said}."
            continue
        contrasts = dataset["contrasts"]
        if dataset["reference"] not in contrasts:
            yield (
                f"{here}.reference is '{dataset['reference']}'; allowed are its contrasts: "
                f"{_listed(contrasts)}{did_you_mean(dataset['reference'], contrasts)}."
            )
        yield from _contrast_problems(here, given[0], contrasts)
        yield from _equation_problems(here, dataset)
        yield from _segment_problems(here, given[0], dataset["segment"])
        virtual = dataset.get("virtual", {})
        if virtual.get("anatomy") == "mrilab" and not virtual["label_file"]:
            yield f"{here}.virtual.label_file is not set; mrilab needs the path of BrainModel.mat."


def _contrast_problems(here: str, kind: str, contrasts: Mapping[str, Any]) -> Iterator[str]:
    for contrast, values in contrasts.items():
        if kind == "dicom" and "series" not in values:
            yield f"{here}.contrasts.{contrast} lacks series, the pattern of its series' name."
        if kind != "virtual" and not {"te", "tr"} <= values.keys():
            continue  # the sidecar will say
        try:
            Sequence.from_mapping(values)
        except InputError as error:
            yield f"{here}.contrasts.{contrast}: {error}."


def _equation_problems(here: str, dataset: Mapping[str, Any]) -> Iterator[str]:
    if dataset.get("virtual", {}).get("signal") != "simko":
        return
    for contrast, values in dataset["contrasts"].items():
        if values.get("ti") is not None:
            yield (
                f"{here}.virtual.signal is 'simko', an equation without inversion pulse, but "
                f"contrasts.{contrast} has a ti; set signal to exact."
            )


def _segment_problems(here: str, kind: str, segment: dict[str, Any]) -> Iterator[str]:
    segment.setdefault("tissues", "truth" if kind == "virtual" else "atropos")
    if segment["tissues"] == "truth" and kind != "virtual":
        yield (
            f"{here}.segment.tissues is 'truth', which only virtual patients have; "
            "allowed: dseg, wmparc, atropos, none."
        )


def _experiment_problems(config: Mapping[str, Any]) -> Iterator[str]:
    datasets, models = config["datasets"], config["models"]
    for name, experiment in config["experiments"].items():
        here = f"experiments.{name}"
        dataset = experiment["dataset"]
        if dataset not in datasets:
            yield (
                f"{here}.dataset is '{dataset}'; allowed are the datasets: {_listed(datasets)}"
                f"{did_you_mean(dataset, datasets)}."
            )
        for model in experiment["models"]:
            if model not in models:
                yield (
                    f"{here}.models names '{model}'; allowed are the models: {_listed(models)}"
                    f"{did_you_mean(model, models)}."
                )
        if dataset in datasets:
            yield from _pair_problems(here, experiment, list(datasets[dataset]["contrasts"]))
        yield from _split_problems(f"{here}.split", experiment["split"])


def _pair_problems(here: str, experiment: dict[str, Any], contrasts: list[str]) -> Iterator[str]:
    """Check pairs and unseen contrasts; without pairs every contrast goes to every one."""
    default = [[source, target] for source in contrasts for target in contrasts]
    experiment.setdefault("pairs", default)
    named = [("pairs", name) for pair in experiment["pairs"] for name in pair]
    for key, name in dict.fromkeys([*named, *(("unseen", name) for name in experiment["unseen"])]):
        if name not in contrasts:
            yield (
                f"{here}.{key} names '{name}'; allowed are the contrasts: {_listed(contrasts)}"
                f"{did_you_mean(name, contrasts)}."
            )
    if len(set(contrasts) - set(experiment["unseen"])) < 2:
        yield f"{here}.unseen leaves less than two contrasts to train on."


def _split_problems(here: str, split: Mapping[str, Any]) -> Iterator[str]:
    validation, test = split.get("validation", 0), split.get("test")
    if "folds" in split:
        if "train" in split or test is not None or isinstance(validation, list):
            yield f"{here} has folds, so it takes besides only validation, a number of patients."
    elif "train" in split:
        if not isinstance(test, list) or not isinstance(split.get("validation", []), list):
            yield f"{here} lists the patients of train, so test and validation must be lists too."
    elif not isinstance(test, int) or not isinstance(validation, int):
        yield (
            f"{here} needs folds; or train and test (and validation) as lists of patients; "
            "or test (and validation) as numbers of patients to draw."
        )


def _model_problems(config: Mapping[str, Any], scales: Mapping[str, Any]) -> Iterator[str]:
    for name, model in config["models"].items():
        preset = _preset(model, config["scale"], scales)
        for key, value in model.items():
            if key in ("system", "scale"):
                continue
            here = f"models.{name}.{key}"
            if key not in preset:
                hint = did_you_mean(key, preset)
                yield f"{here} is no setting; allowed there: {_listed(preset)}{hint}."
            elif not _same_kind(value, preset[key]):
                yield (
                    f"{here} is {value!r}; it must be like {preset[key]!r}, its value in "
                    f"config/scales.yaml.{_number_hint(value)}"
                )


def _preset(model: Mapping[str, Any], scale: str, scales: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a system at a scale: its own beside, or instead of, those of every one."""
    of_scale = scales[model.get("scale", scale)]
    return {**of_scale["every_system"], **of_scale[model["system"]]}


def _one_pair_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for name, experiment in config["experiments"].items():
        for model in (config["models"][model] for model in experiment["models"]):
            default = model.get("default_source")
            others = [pair for pair in experiment["pairs"] if default and pair[0] != default]
            if others:
                yield (
                    f"models.{model['name']}.default_source is {default}, but experiments.{name} "
                    f"has other sources ({others[0][0]}); give the experiment its pairs."
                )
            unseen = [pair for pair in experiment["pairs"] if set(pair) & set(experiment["unseen"])]
            if unseen and transfers_one_pair(model):
                yield (
                    f"models.{model['name']} learns each pair for itself, so experiments.{name} "
                    f"can't ask it for the unseen contrasts of {' to '.join(unseen[0])}."
                )


def transfers_one_pair(model: Mapping[str, Any]) -> bool:
    """Tell whether a model is trained anew for each pair of contrasts; it is not told TE and TR."""
    return model["system"] in ONE_PAIR or model.get("conditioned") is False


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
