"""A configuration from several files: what it includes, what a scale changes, what is optional."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError, check_choice

SCALES = ("smoke", "reduced", "paper")
# Sections and lists that mean one thing as a whole: a new one takes the place of the old.
WHOLE = ("split", "pairs", "unseen")


def composed(
    config: Mapping[str, Any], read: Callable[[str], Mapping[str, Any]], scale: str | None = None
) -> dict[str, Any]:
    """Put a configuration together: its `include:` files, itself, what its scale changes.

    Each file may hold `at_scale:`, sections for `smoke`, `reduced` and `paper` that are merged
    over the file's own where that scale is chosen. The including file's settings win over those
    of what it includes, at any scale.

    Parameters
    ----------
    config
        As read from YAML.
    read
        Gives the content of an included file.
    scale
        The scale of the including file; that of an included one counts only without it.

    Returns
    -------
        A configuration without `include` and `at_scale`, and without the datasets, experiments and
        models that a later file set to null.

    Raises
    ------
    InputError
        If a file includes itself through others, or `at_scale` names no scale.
    """
    result = _composed(config, read, scale, ())
    for section in ("datasets", "experiments", "models"):
        if isinstance(result.get(section), dict):
            kept = {name: each for name, each in result[section].items() if each is not None}
            result[section] = kept
    return result


def _composed(
    config: Mapping[str, Any],
    read: Callable[[str], Mapping[str, Any]],
    scale: str | None,
    within: tuple[str, ...],
) -> dict[str, Any]:
    scale = scale or config.get("scale")
    result: dict[str, Any] = {}
    for name in config.get("include") or []:
        if name in within:
            raise InputError(f"{name} includes itself ({' -> '.join([*within, name])}).")
        result = merged(result, _composed(read(name), read, scale, (*within, name)))
    own = {key: value for key, value in config.items() if key not in ("include", "at_scale")}
    result = merged(result, own)
    changes = config.get("at_scale") or {}
    for name in changes:
        check_choice("at_scale", name, SCALES)
    return merged(result, changes.get(scale or SCALES[0]) or {})


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two nested mappings; the second wins, and replaces lists and `WHOLE` sections."""
    result = deepcopy(dict(base))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both and key not in WHOLE else deepcopy(value)
    return result


def without_absent(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Do without optional files that are not there.

    A virtual dataset with `otherwise` takes that anatomy where its `label_file` is absent; a
    dataset of `pictures` that are `optional` is left out where its folder is.

    Returns
    -------
        The configuration, and a sentence for each thing that was done without.
    """
    result = deepcopy(dict(config))
    notices = []
    datasets = result.get("datasets") or {}
    for name in list(datasets):
        virtual, pictures = (_section(datasets[name], key) for key in ("virtual", "pictures"))
        instead, labels = virtual.pop("otherwise", None), virtual.get("label_file")
        if instead and not (labels and Path(labels).exists()):
            notices.append(f"{labels} is not there: {name} takes the anatomy {instead} instead.")
            virtual.update(anatomy=instead, label_file=None)
        root = pictures.get("root")
        if pictures.pop("optional", False) and root and not Path(root).exists():
            notices.append(f"{root} is not there: nothing is tested on {name}.")
            del datasets[name]
            for experiment in (result.get("experiments") or {}).values():
                others = [each for each in experiment.get("external") or [] if each != name]
                experiment["external"] = others
    return result, notices


def _section(dataset: Any, key: str) -> dict[str, Any]:
    """Give a section of a dataset to change, or an empty one that belongs to nothing."""
    section = dataset.get(key) if isinstance(dataset, dict) else None
    return section if isinstance(section, dict) else {}
