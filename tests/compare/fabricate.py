"""Results folders of a few patients, in the formats of the stages."""

import json
from pathlib import Path

import pandas as pd

CONFIGURATION = {
    "seed": 2021,
    "experiments": {"pelvis": {"dataset": "pelvis", "pairs": [["T1w", "T2w"], ["T2w", "T1w"]]}},
    "models": {"unet": {"system": "unet", "steps": 300, "masks": True, "loss": None}},
}
SPLIT = "fold,patient,anatomy,split\n0,sub-1,sub-1,train\n0,sub-2,sub-2,test\n0,sub-3,sub-3,test\n"
# NRMSE of each patient and pair; PSNR and SSIM follow from it.
VALUES = {
    ("sub-2", "T1w", "T2w"): 0.1,
    ("sub-2", "T2w", "T1w"): 0.3,
    ("sub-3", "T1w", "T2w"): 0.2,
    ("sub-3", "T2w", "T1w"): 0.4,
}


def metrics(values=VALUES, model="unet", experiment="pelvis", old=False):
    """Give the table of metrics of one model; `old`: without the columns of a group."""
    rows = []
    for (patient, source, target), nrmse in values.items():
        system = {"experiment": experiment, "dataset": "pelvis", "model": model, "fold": 0}
        group = {} if old else {"group": "test", "parameters": "seen"}
        pair = {"patient": patient, "source": source, "target": target, "region": "body"}
        for metric, value in (("nrmse", nrmse), ("psnr", 20 - 10 * nrmse), ("ssim", 1 - nrmse)):
            rows.append(system | group | pair | {"metric": metric, "value": value})
    return pd.DataFrame(rows).assign(data_range=1.0)


def summary(table):
    """Summarise a table of metrics: each pair, and all pairs with an interval of ±0.01."""
    pooled = table[table["source"] != table["target"]].assign(source="all", target="all")
    keys = ["experiment", "dataset", "model", "source", "target", "region", "metric"]
    result = pd.concat([table, pooled]).groupby(keys, sort=False, as_index=False)["value"]
    mean = result.mean().rename(columns={"value": "mean"})
    mean.insert(len(keys), "n", table["patient"].nunique())
    return mean.assign(sd=0.02, low=mean["mean"] - 0.01, high=mean["mean"] + 0.01)


def tissues(t1=1.4):
    """Give a table of tissues with one row; its truth isn't known."""
    row = {"dataset": "pelvis", "patient": "sub-2", "tissue": "muscle", "parameter": "T1"}
    return pd.DataFrame([row | {"n": 10, "mean": t1, "sd": 0.1, "median": t1, "truth": None}])


def results(folder: Path, table=None, configuration=CONFIGURATION, split=SPLIT, t1=1.4, **run):
    """Write a results folder; `configuration=None`: as a run that didn't record it."""
    table = metrics() if table is None else table
    evaluation = folder / "evaluation"
    evaluation.mkdir(parents=True)
    table.to_parquet(evaluation / "metrics.parquet", index=False)
    summary(table).to_csv(evaluation / "summary.csv", index=False)
    tissues(t1).to_csv(evaluation / "tissues.csv", index=False)
    (folder / "split").mkdir()
    (folder / "split/pelvis.csv").write_text(split)
    run = {"commit": "0123abc", "dirty": False, "versions": {"snakemake": "9.27.1"}} | run
    if configuration is not None:
        run["configuration"] = configuration
    (folder / "run.json").write_text(json.dumps(run))
    return folder
