from pipeline_lib.why.records import Records, sort_params
from tests.why.fabricate import write_record

CODE = "train_unet@0123456789abcdef"


def test_options_code_and_other_params_are_told_apart():
    values = ['{"seed": 1, "model": {"steps": 8}}', CODE, '{"split": {}}', ["a.nii"], "--truth t"]
    found = sort_params(values)
    assert found.options == {"seed": 1, "model": {"steps": 8}, "split": {}}
    assert found.codes == {"train_unet": "0123456789abcdef"}
    assert found.others == (["a.nii"], "--truth t")


def test_a_record_is_found_by_the_name_of_its_file(tmp_path):
    write_record(tmp_path, "results/a.csv", "split", ["b", "a"], {"seed": 1}, [CODE])
    record = Records(tmp_path).of("results/a.csv")
    assert record.rule == "split"
    assert record.inputs == ("a", "b")
    assert record.params.options == {"seed": 1}
    assert Records(tmp_path).of("results/b.csv") is None


def test_a_long_name_lies_in_folders(tmp_path):
    output = f"results/{'x' * 300}.csv"
    write_record(tmp_path, output, "split")
    path = Records(tmp_path).path_of(output)
    assert path.parent.name.startswith("@")
    assert Records(tmp_path).of(output).rule == "split"


def test_a_broken_record_is_none(tmp_path):
    write_record(tmp_path, "a.csv", "split")
    Records(tmp_path).path_of("a.csv").write_text('{"rule": "spl')
    assert Records(tmp_path).of("a.csv") is None


def test_what_results_were_made_from_is_followed(tmp_path):
    write_record(tmp_path, "c", "third", ["b", "x"])
    write_record(tmp_path, "b", "second", ["a"])
    write_record(tmp_path, "x", "other", ["a"])
    write_record(tmp_path, "a", "first", ["raw"])
    records = Records(tmp_path)
    assert set(records.reached(["c"])) == {"a", "b", "c", "x"}
    assert set(records.reached(["c"], but=["x"])) == {"a", "b", "c"}
    assert set(records.reached(["b", "a"], but=["a"])) == {"b"}
