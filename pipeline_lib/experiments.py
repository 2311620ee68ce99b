"""What an experiment consists of: datasets, folds, trainings, pairs.

Standard library only, because the Snakefile imports it.
"""

from collections.abc import Mapping
from typing import Any

from pipeline_lib.checks import transfers_one_pair

Pairs = list[list[str]]


def used_datasets(experiments: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the datasets that experiments use, their external ones included."""
    used = (name for e in experiments.values() for name in (e["dataset"], *e["external"]))
    return list(dict.fromkeys(used))


def fold_count(experiment: Mapping[str, Any]) -> int:
    """Give the number of folds of an experiment; 1 without cross-validation."""
    return experiment["split"].get("folds", 1)


def trainings(experiment: Mapping[str, Any], models: Mapping[str, Any]) -> dict[str, Pairs]:
    """Say what is trained in an experiment: {name in the paths: its pairs of contrasts}.

    A model that knows one pair only is trained for each, as `model.source.target`.

    Parameters
    ----------
    experiment
        Its section of the complete configuration.
    models
        The sections of all models.
    """
    pairs = experiment["pairs"]
    found: dict[str, Pairs] = {}
    for model in experiment["models"]:
        if transfers_one_pair(models[model]):
            found |= {".".join([model, *pair]): [pair] for pair in pairs}
        else:
            found[model] = pairs
    return found


def pairs_on(experiment: Mapping[str, Any], dataset: str, contrasts: list[str]) -> Pairs:
    """Give the pairs to evaluate on a dataset.

    On another than the experiment's, all of its own; from the one source of the experiment where
    it has only one.

    Parameters
    ----------
    experiment
        Its section of the complete configuration.
    dataset, contrasts
        Name of a dataset, and its contrasts.
    """
    pairs: Pairs = experiment["pairs"]
    if dataset == experiment["dataset"]:
        return pairs
    sources = {source for source, _ in pairs}
    if len(sources) > 1:
        sources = set(contrasts)
    return [
        [source, target]
        for source in contrasts
        for target in contrasts
        if source in sources and source != target
    ]
