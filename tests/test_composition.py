import pytest

from pipeline_lib.composition import composed, merged, without_absent
from pipeline_lib.errors import InputError


def reader(**files):
    return lambda name: files[name]


def test_what_includes_wins_over_what_is_included_at_any_scale():
    paper = {
        "datasets": {"brain": {"virtual": {"patients": 6, "noise": 0.01}}},
        "at_scale": {"reduced": {"datasets": {"brain": {"virtual": {"patients": 20}}}}},
    }
    own = {"include": ["paper"], "scale": "reduced"}
    assert composed(own, reader(paper=paper))["datasets"]["brain"]["virtual"] == {
        "patients": 20,
        "noise": 0.01,
    }
    own["datasets"] = {"brain": {"virtual": {"patients": 12}}}
    assert composed(own, reader(paper=paper))["datasets"]["brain"]["virtual"]["patients"] == 12


def test_null_takes_away_what_was_included():
    paper = {"experiments": {"one": {"dataset": "a"}, "two": {"dataset": "b"}}}
    own = {"include": ["paper"], "experiments": {"one": None}}
    assert composed(own, reader(paper=paper)) == {"experiments": {"two": {"dataset": "b"}}}


def test_without_a_scale_it_is_smoke():
    config = {"seed": 1, "at_scale": {"smoke": {"seed": 2}, "paper": {"seed": 3}}}
    assert composed(config, reader()) == {"seed": 2}


def test_splits_and_pairs_are_replaced_and_not_mixed():
    base = {"split": {"validation": 1, "test": 2}, "pairs": {"drawn": 3}, "models": ["a", "b"]}
    over = {"split": {"folds": 5}, "pairs": [["a", "b"]], "models": ["c"]}
    assert merged(base, over) == over


def test_merging_changes_neither_of_both():
    base, over = {"a": {"b": [1]}}, {"a": {"c": 2}}
    merged(base, over)["a"]["b"].append(2)
    assert (base, over) == ({"a": {"b": [1]}}, {"a": {"c": 2}})


def test_a_circle_of_includes_is_told():
    files = {"a": {"include": ["b"]}, "b": {"include": ["a"]}}
    with pytest.raises(InputError, match="a -> b"):
        composed({"include": ["a"]}, files.get)


def test_a_scale_that_is_none_is_told():
    with pytest.raises(InputError, match="smoke or reduced or paper"):
        composed({"at_scale": {"large": {}}}, reader())


@pytest.fixture
def optional(tmp_path):
    return {
        "datasets": {
            "head": {
                "virtual": {
                    "anatomy": "mrilab",
                    "label_file": str(tmp_path / "labels.mat"),
                    "otherwise": "brain",
                }
            },
            "pictures": {"pictures": {"root": str(tmp_path / "pictures"), "optional": True}},
        },
        "experiments": {"one": {"dataset": "head", "external": ["pictures"]}},
    }


def test_absent_files_that_are_optional_are_done_without_and_told(optional):
    config, notices = without_absent(optional)
    assert config["datasets"] == {"head": {"virtual": {"anatomy": "brain", "label_file": None}}}
    assert config["experiments"]["one"]["external"] == []
    assert len(notices) == 2


def test_optional_files_that_are_there_are_used(optional, tmp_path):
    (tmp_path / "labels.mat").touch()
    (tmp_path / "pictures").mkdir()
    config, notices = without_absent(optional)
    assert config["datasets"]["head"]["virtual"]["anatomy"] == "mrilab"
    assert config["datasets"]["pictures"] == {"pictures": {"root": str(tmp_path / "pictures")}}
    assert config["experiments"]["one"]["external"] == ["pictures"]
    assert not notices
