"""What a virtual dataset is made from; standard library only, because the Snakefile imports it."""

from collections.abc import Mapping
from typing import Any


def patient_names(dataset: Mapping[str, Any]) -> list[str]:
    """Name the patients of a virtual dataset, `sub-001` and so on, without those it excludes."""
    count = dataset["virtual"]["patients"]
    names = (f"sub-{number:03d}" for number in range(1, count + 1))
    return [name for name in names if name not in dataset["exclude"]]


def simulation_options(seed: int, name: str, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Give all that the patients of a dataset depend on, and nothing else.

    How many there are is left out: one more patient leaves the others as they are.

    Parameters
    ----------
    seed
        Of the configuration.
    name, dataset
        Of the dataset: its name, and its complete section of the configuration.
    """
    virtual = {key: value for key, value in dataset["virtual"].items() if key != "patients"}
    return {
        "seed": seed,
        "dataset": name,
        "virtual": virtual,
        "contrasts": dataset["contrasts"],
        "reference": dataset["reference"],
    }
