from pipeline_lib.experiments import fold_count, pairs_on, trainings, used_datasets

PAIRS = [["a", "b"], ["a", "c"]]
MODELS = {"both": {"system": "simko"}, "one": {"system": "pgan"}}


def experiment(**changes):
    given = {"dataset": "own", "external": [], "pairs": PAIRS, "models": list(MODELS), "split": {}}
    return given | changes


def test_a_model_of_one_pair_is_trained_for_each():
    expected = {"both": PAIRS, "one.a.b": [["a", "b"]], "one.a.c": [["a", "c"]]}
    assert trainings(experiment(), MODELS) == expected


def test_another_dataset_is_tested_on_all_its_pairs_from_the_one_source():
    assert pairs_on(experiment(), "own", ["a", "b", "c"]) == PAIRS
    assert pairs_on(experiment(), "other", ["a", "d"]) == [["a", "d"]]
    several = experiment(pairs=[["a", "b"], ["b", "a"]])
    assert pairs_on(several, "other", ["a", "d"]) == [["a", "d"], ["d", "a"]]


def test_datasets_are_named_once_and_folds_are_one_without_cross_validation():
    both = {"x": experiment(external=["other"]), "y": experiment(dataset="other")}
    assert used_datasets(both) == ["own", "other"]
    assert fold_count(experiment()) == 1
    assert fold_count(experiment(split={"folds": 4})) == 4
