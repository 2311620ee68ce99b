"""Every system of config/scales.yaml in a size that trains in a second, and how it is run."""

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import yaml

from tests.training.stores import CONTRASTS, write_dataset

SCALES = yaml.safe_load((Path(__file__).parents[2] / "config/scales.yaml").read_text())
SYSTEMS = [name for name in SCALES["smoke"] if name != "every_system"]
SPLITS = {"sub-01": "train", "sub-02": "train", "sub-03": "validation", "sub-04": "test"}
ONE_PAIR = [["PDw", "T2w"]]
ALL_PAIRS = [[source, target] for source in CONTRASTS for target in CONTRASTS if source != target]
# Read by the workflow, not by the training.
MACHINE = ("threads", "gpus")

LOOP = {
    "batch_size": 4, "log_every": 5, "validate_every": 5, "validation_slices": 2,
    "checkpoint_seconds": 0.0,
}  # fmt: skip
# By family; of `steps`, the phase that the losses are looked at.
TINY: Mapping[str, Mapping[str, Any]] = {
    "unet": {"channels": [4, 8], "features": 4, "embedding": 8, "steps": 30,
             "learning_rate": 1.0e-2},
    "simko": {"channels": 2, "discriminator_channels": 2, "identity_steps": 30, "real_steps": 4,
              "adversarial_steps": 4, "real_accuracy": 1.1, "learning_rate": 3.0e-3},
    "alkan": {"layers": 3, "channels": 4, "patch_size": 16, "patch_stride": 8, "steps": 20,
              "halve_every": 10},
    "crl": {"blocks": 1, "channels": 8, "patch_size": 16, "patch_margin": 4, "steps": 30,
            "learning_rate": 5.0e-3, "halve_every": 20},
    "paramnet": {"autoencoder_channels": [4, 4, 8], "autoencoder_steps": 4, "steps": 30,
                 "learning_rate": 5.0e-3},
    "pgan": {"channels": 4, "blocks": 1, "discriminator_channels": 2, "steps": 15,
             "falling_steps": 5, "learning_rate": 2.0e-3},
    "resvit": {"channels": 4, "width": 8, "layers": 1, "heads": 2, "grid": 2,
               "discriminator_channels": 2, "convolutional_steps": 4,
               "convolutional_falling_steps": 2, "steps": 15, "falling_steps": 5,
               "learning_rate": 2.0e-3},
    "ptnet": {"channels": 4, "width": 8, "global_width": 8, "layers": 1, "heads": 2,
              "discriminator_channels": 2, "steps": 15, "falling_steps": 5,
              "learning_rate": 2.0e-3},
}  # fmt: skip


def preset(scale: str, system: str) -> dict[str, Any]:
    """Give a system's settings at a scale, as the configuration merges them."""
    merged = {**SCALES[scale]["every_system"], **SCALES[scale][system]}
    return {name: value for name, value in merged.items() if name not in MACHINE}


def tiny(system: str, **changes: Any) -> dict[str, Any]:
    """Give the section of a model of a system's smoke preset, made tiny."""
    settings = {**preset("smoke", system), **LOOP, **TINY[family(system)], **changes}
    return {"name": system, "system": system, **settings}


def family(system: str) -> str:
    """Give the name of the stage that trains a system."""
    return system.partition("_")[0]


def pairs_of(system: str) -> list[list[str]]:
    """Give the pairs that a training of the system is asked for."""
    one = system in ("unet_plain", "alkan", "pgan", "resvit", "ptnet")
    return ONE_PAIR if one else ALL_PAIRS


def arguments(
    data: Path, model: Mapping[str, Any], output: str, splits: str = "split.csv", **options: Any
) -> list[str]:
    """Give the command line of a training after `python -m`."""
    folder = data / output
    options = {
        "seed": 1, "experiment": "disc", "model": model, "pairs": pairs_of(model["system"]),
        "unseen": [], **options,
    }  # fmt: skip
    return [
        f"pipeline_lib.stages.train_{family(model['system'])}",
        "--slices", *(str(data / "slices" / patient) for patient in SPLITS),
        "--split", str(data / splits), "--unpaired", str(data / "unpaired.csv"), "--fold", "0",
        "--checkpoints", f"{folder}-checkpoints", "--output", str(folder), "--code", "digest",
        "--options", json.dumps(options),
    ]  # fmt: skip


def predict_arguments(data: Path, model: str, output: str) -> list[str]:
    """Give the command line of a prediction after `python -m`."""
    return [
        "pipeline_lib.stages.predict",
        "--slices", *(str(data / "slices" / patient) for patient in SPLITS),
        "--split", str(data / "split.csv"), "--fold", "0", "--model", str(data / model),
        "--output", str(data / output), "--options", "{}",
    ]  # fmt: skip


def run_here(command: list[str]) -> None:
    """Run a stage's main in this process."""
    module, *rest = command
    with patch.object(sys, "argv", [module, *rest]):
        import_module(module).main()


def losses(folder: Path, name: str = "losses.csv") -> pd.DataFrame:
    """Read a model's losses, without the seconds that they took."""
    return pd.read_csv(folder / name).drop(columns="seconds")


def make_data(folder: Path, size: int = 32) -> Path:
    """Write patients of `SPLITS` to a folder and give it."""
    write_dataset(folder, SPLITS, size)
    return folder
