"""The tidy table and its parts."""

import pandas as pd
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.scoring import Score
from pipeline_lib.evaluation.tables import COLUMNS, merged, merged_tissues, metrics_table


def part(path, fold, patient):
    scores = [Score(patient, "T1w", "T2w", "body", metric, 1.0, 0.5) for metric in ("mae", "ssim")]
    metrics_table(scores, "pelvis", "pelvis", "unet", fold).to_parquet(path, index=False)
    return path


def test_parts_are_merged_with_the_agreed_columns(tmp_path):
    table = merged([part(tmp_path / "a", 0, "sub-001"), part(tmp_path / "b", 1, "sub-002")])
    assert list(table.columns) == COLUMNS
    assert len(table) == 4


def test_a_patient_tested_in_two_folds_is_refused(tmp_path):
    parts = [part(tmp_path / "a", 0, "sub-001"), part(tmp_path / "b", 1, "sub-001")]
    with pytest.raises(InputError, match="sub-001 was tested twice with unet"):
        merged(parts)


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
