"""The tidy table and its parts."""

import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.gathering import Gathered
from pipeline_lib.evaluation.merging import merge, rows_of
from pipeline_lib.evaluation.predicted_maps import COLUMNS as MAP_COLUMNS
from pipeline_lib.evaluation.scoring import Score
from pipeline_lib.evaluation.tables import COLUMNS, map_tables, metrics_table, tissue_tables


def part(path, fold, patient, model="unet", pairs=(("T1w", "T2w"),), group="test"):
    scores = [
        Score(patient, *pair, "body", metric, 1.0, 0.5)
        for pair in pairs
        for metric in ("mae", "ssim")
    ]
    table = metrics_table(scores, "pelvis", "pelvis", model, fold, group, [])
    table.to_parquet(path, index=False)
    return path


def merged(parts):
    """Merge into files beside the parts; each system is read, which finds what is there twice."""
    folder = parts[0].parent
    systems = merge(parts, folder / "metrics.parquet", folder / "metrics.csv")
    for system, places in systems.items():
        Gathered(rows_of(folder / "metrics.parquet", system, places))
    return pd.read_parquet(folder / "metrics.parquet")


def merged_tissues(folders):
    return pd.concat(tissue_tables(folders))


def merged_maps(paths):
    return pd.concat(map_tables(paths))


def test_parts_are_merged_with_the_agreed_columns(tmp_path):
    table = merged([part(tmp_path / "a", 0, "sub-001"), part(tmp_path / "b", 1, "sub-002")])
    assert list(table.columns) == COLUMNS
    assert len(table) == 4


def test_a_patient_tested_in_two_folds_is_refused(tmp_path):
    parts = [part(tmp_path / "a", 0, "sub-001"), part(tmp_path / "b", 1, "sub-001")]
    with pytest.raises(InputError, match="sub-001 was tested twice with unet"):
        merged(parts)


THERE, BACK = ("T1w", "T2w"), ("T2w", "T1w")


def test_a_model_of_one_pair_is_merged_from_its_parts_beside_the_others(tmp_path):
    parts = [
        part(tmp_path / "unet", 0, "sub-001", pairs=(THERE, BACK)),
        part(tmp_path / "there", 0, "sub-001", "pgan", (THERE,)),
        part(tmp_path / "back", 0, "sub-001", "pgan", (BACK,)),
    ]
    table = merged(parts)
    assert table.groupby("model").size().to_dict() == {"unet": 4, "pgan": 4}
    with pytest.raises(InputError, match="sub-001 was tested twice with pgan"):
        merged([*parts, parts[-1]])


@pytest.mark.parametrize("lacking", ["pgan", "unet"])
def test_a_model_that_lacks_a_pair_of_the_others_is_refused(tmp_path, lacking):
    parts = [
        part(tmp_path / f"{model}-{fold}", fold, f"sub-00{fold}", model, pairs)
        for fold in (0, 1)
        for model in ("unet", "pgan")
        for pairs in [(THERE,) if (model, fold) == (lacking, 1) else (THERE, BACK)]
    ]
    message = f"{lacking} of pelvis was not tested on T2w → T1w in fold 1"
    with pytest.raises(InputError, match=message):
        merged(parts)


def test_experiments_may_have_different_pairs(tmp_path):
    other = pd.read_parquet(part(tmp_path / "a", 0, "sub-001")).assign(experiment="other")
    other.to_parquet(tmp_path / "other", index=False)
    assert (
        len(merged([part(tmp_path / "b", 0, "sub-001", pairs=(THERE, BACK)), tmp_path / "other"]))
        == 6
    )


def test_a_missing_a_broken_and_a_foreign_part_are_told(tmp_path):
    with pytest.raises(InputError, match="gone is missing"):
        merged([tmp_path / "gone"])
    (tmp_path / "broken").write_text("PAR1")
    with pytest.raises(InputError, match="broken is no Parquet file"):
        merged([tmp_path / "broken"])
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign")
    with pytest.raises(InputError, match="foreign has the columns a instead"):
        merged([tmp_path / "foreign"])


def test_tissue_tables_are_merged_with_their_dataset(tmp_path):
    for patient in ("sub-001", "sub-002"):
        (tmp_path / patient).mkdir()
        pd.DataFrame({"patient": [patient], "tissue": ["fat"]}).to_csv(
            tmp_path / patient / "tissues.csv", index=False
        )
    table = merged_tissues({tmp_path / "sub-001": "pelvis", tmp_path / "sub-002": "brain"})
    assert table["dataset"].tolist() == ["pelvis", "brain"]
    assert merged_tissues({}).empty
    with pytest.raises(InputError, match=r"tissues\.csv is missing"):
        merged_tissues({tmp_path / "gone": "pelvis"})


def test_parameters_are_unseen_where_the_source_or_the_target_is():
    scores = [
        Score("sub-001", source, target, "body", "mae", 1.0, 0.5)
        for source, target in (("T1w", "T2w"), ("T2w", "FLAIR"), ("FLAIR", "T1w"))
    ]
    table = metrics_table(scores, "e", "d", "unet", 0, "seen", ["FLAIR"])
    assert list(table.columns) == COLUMNS
    assert table["parameters"].tolist() == ["seen", "unseen", "unseen"]
    assert table["group"].unique().tolist() == ["seen"]
    with pytest.raises(ValueError, match="a group is one of"):
        metrics_table(scores, "e", "d", "unet", 0, "train", [])


def test_a_patient_may_be_in_several_groups_and_be_seen_in_several_folds(tmp_path):
    parts = [
        part(tmp_path / f"{group}-{fold}", fold, name, group=group)
        for group, fold, name in (
            ("test", 0, "sub-001"),
            ("test", 1, "sub-002"),
            ("seen", 0, "sub-002"),
            ("seen", 1, "sub-001"),
            ("seen", 2, "sub-001"),
            ("external", 0, "sub-001"),
            ("external", 1, "sub-001"),
        )
    ]
    assert len(merged(parts)) == 2 * 7
    with pytest.raises(InputError, match=r"sub-001 was tested twice .* give each part"):
        merged([*parts, parts[-1]])


def test_pairs_are_compared_within_a_group(tmp_path):
    parts = [
        part(tmp_path / "test", 0, "sub-001"),
        part(tmp_path / "external", 0, "sub-009", pairs=(BACK,), group="external"),
    ]
    assert len(merged(parts)) == 4
    other = part(tmp_path / "o", 0, "sub-009", "pgan", pairs=(THERE,), group="external")
    with pytest.raises(InputError, match="was not tested on"):
        merged([*parts, other])


def test_rows_of_a_papers_formula_pass_through(tmp_path):
    scores = [
        Score("sub-001", *THERE, "body", "mae", 1.0, 0.5),
        Score("sub-001", *THERE, "paper", "simko2021_psnr", 20.0, 0.5),
    ]
    table = metrics_table(scores, "e", "d", "unet", 0, "test", [])
    table.to_parquet(tmp_path / "a", index=False)
    assert merged([tmp_path / "a"])["region"].tolist() == ["body", "paper"]


def test_tables_of_predicted_maps_are_joined(tmp_path):
    values = ["e", "simko", 0, "sub-001", "all", "fat", "T1", 10, 0.4, 0.1, 0.38, 0.37]
    for name in ("a", "b"):
        table = pd.DataFrame([values], columns=list(MAP_COLUMNS))
        table.to_csv(tmp_path / name, index=False)
    assert merged_maps([tmp_path / "a", tmp_path / "b"]).to_numpy().tolist() == [values, values]
    assert tuple(merged_maps([]).columns) == MAP_COLUMNS
    table.drop(columns="truth").to_csv(tmp_path / "b", index=False)
    with pytest.raises(InputError, match="b has the columns"):
        merged_maps([tmp_path / "b"])
    with pytest.raises(InputError, match="gone is missing"):
        merged_maps([tmp_path / "gone"])
