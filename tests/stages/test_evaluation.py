"""The stage evaluation on tables of fabricated patients."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.baselines import declared_ranges, do_nothing
from pipeline_lib.evaluation.comparisons import COLUMNS as COMPARISON_COLUMNS
from pipeline_lib.evaluation.generalisation import COLUMNS as GENERALISATION_COLUMNS
from pipeline_lib.evaluation.predicted_maps import COLUMNS as MAP_COLUMNS
from pipeline_lib.evaluation.scoring import score_patient
from pipeline_lib.evaluation.statistics import COLUMNS as SUMMARY_COLUMNS
from pipeline_lib.evaluation.tables import COLUMNS, metrics_table
from pipeline_lib.slices.images import Images
from pipeline_lib.stages import evaluation
from tests.evaluation.fabricate import patient
from tests.stages.folds import call

PATIENTS = [Images(patient(f"sub-00{number}")) for number in range(6)]
RANGES = declared_ranges(PATIENTS)
PAIRS = [(1, 0), (2, 0), (0, 2)]
OPTIONS = {
    "seed": 1,
    "evaluate": {"bootstrap": 100},
    "experiments": {"e": ["half", "third"]},
}


def part(folder, model, share, patients=PATIENTS, pairs=PAIRS, fold=0, group="test", unseen=()):
    """Scores of answers that have taken a share of the way from the source to the target."""
    scores = []
    for images in patients:
        slices = images.slices

        def answer(source, target, slices=slices):
            return (1 - share) * slices.images[:, source] + share * slices.images[:, target]

        scores += score_patient(images, answer if share else do_nothing(slices), RANGES, pairs)
    path = folder / f"{model}-{group}-{fold}-{len(pairs)}{pairs[0]}.parquet"
    metrics_table(scores, "e", "d", model, fold, group, unseen).to_parquet(path, index=False)
    return path


def read(folder, name):
    return pd.read_csv(folder / f"{name}.csv", dtype={"patient": str})


def test_the_tables_of_models_and_baselines(tmp_path, monkeypatch):
    parts = [
        part(tmp_path, model, share, patients, fold=fold)
        for model, share in (("half", 1 / 2), ("third", 1 / 3), ("do_nothing", 0))
        for fold, patients in enumerate((PATIENTS[:3], PATIENTS[3:]))
    ]
    parts.append(part(tmp_path, "half", 1 / 2, PATIENTS[:2], group="seen"))
    parts.append(part(tmp_path, "half", 1 / 4, PATIENTS[:1], group="external"))
    maps = tmp_path / "pelvis" / "sub-001"
    maps.mkdir(parents=True)
    (maps / "tissues.csv").write_text("patient,tissue\nsub-001,fat\n")
    values = ["e", "half", 0, "sub-001", "all", "fat", "T1", 10, 0.4, 0.1, 0.38, 0.37]
    predicted = pd.DataFrame([values], columns=list(MAP_COLUMNS))
    predicted.to_csv(tmp_path / "fold-0.csv", index=False)
    out = tmp_path / "out"
    arguments = ("--parts", *parts, "--maps", maps, "--map-tables", tmp_path / "fold-0.csv")
    call(monkeypatch, evaluation, OPTIONS, *arguments, "--output", out)

    metrics = pd.read_parquet(out / "metrics.parquet")
    assert list(metrics.columns) == COLUMNS
    assert len(read(out, "metrics")) == len(metrics) == sum(len(pd.read_parquet(p)) for p in parts)
    summary = read(out, "summary")
    assert list(summary.columns) == list(read(out, "external").columns) == SUMMARY_COLUMNS
    pooled = summary[(summary.source == "all") & (summary.region == "body")]
    mae = pooled[pooled.metric == "mae"].set_index("model")
    assert mae["mean"]["half"] == pytest.approx(mae["mean"]["do_nothing"] / 2, rel=1e-4)
    assert (mae["n"] == 6).all()
    external = read(out, "external")
    assert external["n"].unique().tolist() == [1]
    found = external[(external.source == "all") & (external.metric == "mae")]
    first = metrics[(metrics.patient == "sub-000") & (metrics.model == "do_nothing")]
    first = first[(first.region == "body") & (first.metric == "mae")]["value"].mean()
    assert found[found.region == "body"]["mean"].item() == pytest.approx(0.75 * first, rel=1e-4)

    divided = read(out, "generalisation")
    assert list(divided.columns) == GENERALISATION_COLUMNS
    half = divided[(divided.model == "half") & (divided.metric == "mae")]
    assert half.set_index("group")["n"].to_dict() == {"test": 6, "seen": 2}

    compared = read(out, "comparisons")
    assert list(compared.columns) == COMPARISON_COLUMNS
    errors = compared[compared.metric == "mae"]
    assert errors[["first", "second"]].to_numpy().tolist() == [
        ["half", "third"],
        ["half", "do_nothing"],
        ["third", "do_nothing"],
    ]
    assert (errors["wins"] == 6).all() and (errors["p"] == 0.03125).all()
    np.testing.assert_allclose(errors["p_holm"], 3 * 0.03125)
    assert read(out, "tissues").iloc[0].tolist() == ["pelvis", "sub-001", "fat"]
    assert read(out, "maps").iloc[0].tolist() == values


def test_models_of_one_pair_are_compared_with_the_others_on_the_pairs_of_the_experiment(
    tmp_path, monkeypatch
):
    parts = [part(tmp_path, "half", 1 / 2)]
    parts += [part(tmp_path, "third", 1 / 2, pairs=[pair]) for pair in PAIRS]
    call(monkeypatch, evaluation, OPTIONS, "--parts", *parts, "--output", tmp_path / "out")
    summary = read(tmp_path / "out", "summary")
    values = summary.drop(columns="model").groupby(summary["model"])
    ours, theirs = (values.get_group(name).reset_index(drop=True) for name in ("half", "third"))
    pd.testing.assert_frame_equal(ours, theirs)
    assert read(tmp_path / "out", "comparisons")["p"].eq(1).all()

    with pytest.raises(InputError, match="third of e was not tested on T2w → PDw in fold 0"):
        call(monkeypatch, evaluation, OPTIONS, "--parts", *parts[:-1], "--output", tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_parameters_are_divided_by_the_unseen_contrasts(tmp_path, monkeypatch):
    path = part(tmp_path, "half", 1 / 2, unseen=["PDw"])
    call(monkeypatch, evaluation, OPTIONS, "--parts", path, "--output", tmp_path / "out")
    divided = read(tmp_path / "out", "generalisation")
    assert set(divided["parameters"]) == {"seen", "unseen"}
    metrics = pd.read_parquet(path)
    chosen = metrics[(metrics.region == "body") & (metrics.metric == "mae")]
    mae = divided[divided.metric == "mae"].set_index("parameters")["mean"]
    assert mae["seen"] == pytest.approx(chosen[chosen.source == "T1w"]["value"].mean())
    assert mae["unseen"] == pytest.approx(chosen[chosen.source != "T1w"]["value"].mean())


def test_without_maps_other_groups_and_models_those_tables_are_empty(tmp_path, monkeypatch):
    path, options = part(tmp_path, "half", 1 / 2), {**OPTIONS, "experiments": {}}
    more = ("--maps", "--map-tables", "--output", tmp_path / "out")
    call(monkeypatch, evaluation, options, "--parts", path, *more)
    for name in ("tissues", "maps", "external", "generalisation", "comparisons"):
        assert read(tmp_path / "out", name).empty
