"""The stage evaluate on fabricated slices and predictions."""

import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.baselines import declared_ranges
from pipeline_lib.evaluation.tables import COLUMNS
from pipeline_lib.slices.images import Images
from pipeline_lib.stages import evaluate
from tests.evaluation.fabricate import NAMED_PAIRS, patient, write_predictions
from tests.stages.folds import call, write_split, write_stores

PATIENTS = [patient(f"sub-00{number}") for number in (1, 2, 3)]
OPTIONS = {
    "seed": 1,
    "experiment": "e",
    "dataset": "d",
    "model": "half",
    "pairs": NAMED_PAIRS,
    "unseen": [],
    "paper": None,
}
SPLIT = [(0, "sub-001", "test"), (0, "sub-002", "train"), (0, "sub-003", "train")]


@pytest.fixture
def work(tmp_path):
    """Three patients, of whom the first is the test."""
    write_stores(tmp_path, PATIENTS)
    write_split(tmp_path / "split.csv", SPLIT)
    return tmp_path


def half_right(slices, source, target):
    return (slices.images[:, source] + slices.images[:, target]) / 2


def evaluated(monkeypatch, work, predictions, *arguments, **options):
    output = work / "evaluated.parquet"
    stores = [work / slices.patient for slices in PATIENTS]
    arguments = ("--slices", *stores, "--split", work / "split.csv", "--fold", 0, *arguments)
    arguments = (*arguments, "--predictions", predictions, "--output", output)
    call(monkeypatch, evaluate, {**OPTIONS, **options}, *arguments)
    return pd.read_parquet(output)


def test_a_row_for_each_pair_region_and_metric(work, monkeypatch):
    table = evaluated(monkeypatch, work, write_predictions(work / "p", PATIENTS[:1], half_right))
    assert list(table.columns) == COLUMNS
    assert len(table) == 9 * (3 * 5 + 3)
    named = table[["experiment", "dataset", "model", "fold", "group", "parameters", "patient"]]
    assert named.drop_duplicates().to_numpy().tolist() == [
        ["e", "d", "half", 0, "test", "seen", "sub-001"]
    ]
    ranges = declared_ranges([Images(slices) for slices in PATIENTS[1:]])
    assert (table["data_range"] == table["target"].map(ranges)).all()


def test_predictions_of_a_pair_that_is_not_of_the_experiment_are_refused(work, monkeypatch):
    predictions = write_predictions(work / "p", PATIENTS[:1], half_right, [(1, 0), (0, 1)])
    with pytest.raises(InputError, match="holds T2w → T1w, which is no pair of the experiment e"):
        evaluated(monkeypatch, work, predictions, pairs=[["T1w", "T2w"]])


def test_predictions_of_other_patients_than_the_test_are_told(work, monkeypatch):
    predictions = write_predictions(work / "p", PATIENTS[1:2], half_right)
    with pytest.raises(InputError, match="holds sub-002, but the test patients of fold 0"):
        evaluated(monkeypatch, work, predictions)
    assert not (work / "evaluated.parquet").exists()


def test_seen_patients_and_unseen_parameters_are_told_apart(work, monkeypatch):
    write_split(work / "split.csv", [*SPLIT, (0, "sub-002", "seen")])
    predictions = write_predictions(work / "p", PATIENTS[:2], half_right)
    table = evaluated(monkeypatch, work, predictions, unseen=["PDw"])
    assert table.groupby("group")["patient"].unique().map(list).to_dict() == {
        "test": ["sub-001"],
        "seen": ["sub-002"],
    }
    pairs = table[["source", "target", "parameters"]].drop_duplicates()
    unseen = pairs[pairs["parameters"] == "unseen"]
    assert len(pairs) == 9
    assert len(unseen) == 5
    assert (unseen[["source", "target"]] == "PDw").any(axis=1).all()


def test_seen_patients_that_were_not_predicted_are_told(work, monkeypatch):
    write_split(work / "split.csv", [*SPLIT, (0, "sub-002", "seen")])
    predictions = write_predictions(work / "p", PATIENTS[:1], half_right)
    with pytest.raises(InputError, match="the test and seen patients of fold 0 are sub-001, sub-0"):
        evaluated(monkeypatch, work, predictions)


def test_patients_of_another_dataset_are_scored_alone_on_their_own_scale(work, monkeypatch):
    others = [patient("phantom")]
    others[0].write(work / "others" / "phantom")
    predictions = write_predictions(work / "p", others, half_right)
    table = evaluated(
        monkeypatch, work, predictions, "--external", work / "others" / "phantom", dataset="other"
    )
    assert table["patient"].unique().tolist() == ["phantom"]
    assert table[["group", "dataset"]].drop_duplicates().to_numpy().tolist() == [
        ["external", "other"]
    ]
    assert (table["data_range"] == 1).all()
    of_test = write_predictions(work / "q", PATIENTS[:1], half_right)
    with pytest.raises(InputError, match="the external patients of fold 0 are phantom"):
        evaluated(monkeypatch, work, of_test, "--external", work / "others" / "phantom")


def test_of_a_leaked_split_only_held_images_are_scored(work, monkeypatch):
    rows = [
        (0, slices.patient, part, number)
        for slices in PATIENTS[:2]
        for number, part in enumerate(("train", "test", "train"))
    ]
    write_split(work / "split.csv", rows)

    def wrong_elsewhere(slices, source, target):
        prediction = half_right(slices, source, target)
        prediction[[0, 2]] += 1
        return prediction

    predictions = write_predictions(work / "p", PATIENTS[:2], wrong_elsewhere)
    table = evaluated(monkeypatch, work, predictions)
    mae = table[(table["metric"] == "mae") & (table["region"] == "body")]
    assert len(mae) == 2 * 9
    assert mae["value"].max() < 0.5


def test_a_papers_own_values_stand_beside_the_others(work, monkeypatch):
    predictions = write_predictions(work / "p", PATIENTS[:1], half_right)
    table = evaluated(monkeypatch, work, predictions, paper="narang2022")
    of_paper = table[table["region"] == "paper"]
    assert of_paper["metric"].value_counts().to_dict() == {
        "narang2022_psnr": 9,
        "narang2022_mae": 9,
    }
    with pytest.raises(InputError, match=r"paper narang \(did you mean narang2022"):
        evaluated(monkeypatch, work, predictions, paper="narang")
