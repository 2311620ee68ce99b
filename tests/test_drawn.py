from collections import Counter

from pipeline_lib.drawn import draw_contrasts, draw_pairs, draw_unseen

NAMES = [f"c{number}" for number in range(6)]


def drawn_dataset(seed=1, count=400):
    dataset = {
        "contrasts": {"default": {"te": 0.05, "tr": 4.5}},
        "drawn_contrasts": {"count": count, "sequence": "SE", "te": [0.02, 1.0], "tr": [1.2, 10.0]},
    }
    draw_contrasts(dataset, "narang", seed)
    return dataset


def test_contrasts_are_drawn_within_their_limits_and_short_echoes_are_denser():
    contrasts = drawn_dataset()["contrasts"]
    assert list(contrasts)[:2] == ["default", "drawn001"]
    drawn = [values for name, values in contrasts.items() if name != "default"]
    te, tr = [each["te"] for each in drawn], [each["tr"] for each in drawn]
    assert len(drawn) == 400
    assert min(te) >= 0.02 and max(te) <= 1.0 and min(tr) >= 1.2 and max(tr) <= 10.0
    # The middle of a log-uniform variable is the geometric mean, that of a uniform one the mean.
    assert 0.11 < sorted(te)[200] < 0.18
    assert 5.0 < sorted(tr)[200] < 6.2


def test_draws_follow_the_seed_and_one_more_contrast_leaves_the_others():
    assert drawn_dataset() == drawn_dataset()
    assert drawn_dataset() != drawn_dataset(seed=2)
    fewer, more = drawn_dataset(count=5)["contrasts"], drawn_dataset(count=6)["contrasts"]
    assert fewer == {name: more[name] for name in fewer}


def test_unseen_contrasts_spare_those_to_keep():
    experiment = {"unseen": {"drawn": 4}}
    draw_unseen(experiment, "one", NAMES, ["c0", "c3"], 1)
    assert experiment["unseen"] == ["c1", "c2", "c4", "c5"]


def test_pairs_cover_all_targets_evenly_and_none_is_of_a_contrast_with_itself():
    experiment = {"pairs": {"drawn": 15}}
    draw_pairs(experiment, "one", NAMES, 1)
    pairs = [tuple(pair) for pair in experiment["pairs"]]
    assert len(set(pairs)) == 15
    assert set(Counter(target for _, target in pairs).values()) == {2, 3}
    assert all(source != target for source, target in pairs)


def test_pairs_from_one_source_go_to_all_others():
    experiment = {"pairs": {"sources": ["c2"]}}
    draw_pairs(experiment, "one", NAMES, 1)
    assert experiment["pairs"] == [["c2", name] for name in NAMES if name != "c2"]


def test_what_is_named_stays():
    experiment = {"pairs": [["c0", "c1"]], "unseen": ["c5"]}
    draw_pairs(experiment, "one", NAMES, 1)
    draw_unseen(experiment, "one", NAMES, [], 1)
    assert experiment == {"pairs": [["c0", "c1"]], "unseen": ["c5"]}
