from pathlib import Path

import pytest
import yaml

from pipeline_lib.checks import transfers_one_pair
from pipeline_lib.composition import composed, without_absent
from pipeline_lib.configuration import resolve
from pipeline_lib.errors import InputError
from pipeline_lib.phantom.cohort import VirtualSettings

ROOT = Path(__file__).parents[1]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
SCALES = yaml.safe_load((ROOT / "config/scales.yaml").read_text())
PAPERS = ("simko2021", "alkan2017", "crl2024", "narang2022")


@pytest.fixture
def config():
    return {
        "datasets": {
            "pelvis": {
                "virtual": {"anatomy": "pelvis", "patients": 4},
                "contrasts": {
                    "T2w": {"sequence": "SE", "te": 0.1, "tr": 4.5},
                    "PDw": {"sequence": "SE", "te": 0.01, "tr": 4.5},
                },
                "reference": "PDw",
            }
        },
        "experiments": {"pelvis": {"dataset": "pelvis", "models": ["unet"]}},
        "models": {"unet": {"system": "unet"}},
    }


def resolved(config):
    return resolve(config, SCHEMA, SCALES)


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


@pytest.mark.parametrize("scale", ["smoke", "reduced", "paper"])
@pytest.mark.parametrize(
    "path",
    [
        "config/config.yaml",
        "config/examples/ms_longitudinal.yaml",
        "config/examples/imperfect_scanner.yaml",
        *(f"config/experiments/{paper}.yaml" for paper in PAPERS),
    ],
)
def test_the_configurations_that_come_along_are_valid_at_every_scale(path, scale):
    complete, _ = without_absent(composed(read(path) | {"scale": scale}, read))
    assert resolved(complete)["scale"] == scale


def test_the_default_runs_the_four_papers_as_their_own_files_do():
    whole = resolved(without_absent(composed(read("config/config.yaml"), read))[0])
    assert {each["paper"] for each in whole["experiments"].values()} == set(PAPERS)
    for paper in PAPERS:
        alone, _ = without_absent(composed(read(f"config/experiments/{paper}.yaml"), read))
        for name, experiment in resolved(alone)["experiments"].items():
            assert experiment == whole["experiments"][name]


def test_drawn_contrasts_pairs_and_unseen_ones_are_named(config):
    config["datasets"]["pelvis"]["drawn_contrasts"] = {
        "count": 6, "te": [0.02, 1.0], "tr": [1.2, 10.0]
    }  # fmt: skip
    asked = {"pairs": {"drawn": 9}, "unseen": {"drawn": 2}}
    config["experiments"]["pelvis"] |= asked
    complete = resolved(config)
    contrasts = complete["datasets"]["pelvis"]["contrasts"]
    experiment = complete["experiments"]["pelvis"]
    assert len(contrasts) == 8
    assert len(experiment["pairs"]) == 9
    assert len(experiment["unseen"]) == 2
    assert {name for pair in experiment["pairs"] for name in pair} <= set(contrasts)
    assert "PDw" not in experiment["unseen"]


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"leaked": "image", "train": 3}, "share of the images"),
        ({"leaked": "slice", "train": 0.5, "test": 1}, "share of the images"),
        ({"patients": ["sub-001"], "test": 1}, "for a leaked split"),
        ({"train": 0.5, "test": 1}, "numbers of patients to draw"),
    ],
)
def test_a_split_that_means_nothing_is_told(config, split, said):
    config["experiments"]["pelvis"]["split"] = split
    with pytest.raises(InputError, match=said):
        resolved(config)


def test_a_system_of_one_pair_is_not_tested_on_other_datasets(config):
    config["models"]["unet"]["conditioned"] = False
    config["experiments"]["pelvis"]["external"] = ["pelvis"]
    with pytest.raises(InputError, match="can't test it on other datasets"):
        resolved(config)


def test_defaults_are_filled_in(config):
    dataset = resolved(config)["datasets"]["pelvis"]
    assert dataset["register"] == {"transform": "rigid"}
    assert dataset["virtual"]["motion"] == {"translation": 5.0, "rotation": 5.0}
    assert dataset["segment"]["tissues"] == "truth"


def test_a_virtual_scanner_is_perfect_unless_asked(config):
    virtual = resolved(config)["datasets"]["pelvis"]["virtual"]
    assert virtual["signal"] == "exact"
    assert virtual["b1_field"] == virtual["b0_field"] == 0
    assert virtual["k_space"] == 1
    assert virtual["bandwidth"] is virtual["slice_thickness"] is None


def test_the_imperfect_scanner_of_the_examples_has_every_imperfection():
    dataset = resolved(read("config/examples/imperfect_scanner.yaml"))["datasets"]["imperfect"]
    perfect = SCHEMA["$defs"]["virtual"]["properties"]
    virtual = {key: value for key, value in dataset["virtual"].items() if key != "patients"}
    scanner = VirtualSettings.from_options(virtual).scanner
    assert (scanner.form, scanner.field_strength) == ("epg", 3)
    for key in ("b1_field", "b0_field", "bandwidth", "k_space", "slice_thickness"):
        assert virtual[key] != perfect[key]["default"]
        assert getattr(scanner, key) == virtual[key]
    assert any(contrast.get("refocusing", 180) < 180 for contrast in dataset["contrasts"].values())


FSE = {"sequence": "FSE", "te": 0.1, "tr": 4.5, "te_last": 0.2, "echoes": 10, "refocusing": 120}


@pytest.mark.parametrize(
    ("virtual", "contrast", "sentence"),
    [
        ({"b1_field": 0.3}, {}, "exact flip angles, but b1_field is 0.3; set signal to epg"),
        ({"b1_field": 0.3, "signal": "simko"}, {}, "signal is 'simko', .*set signal to epg"),
        ({}, FSE, "180 degree pulses, but refocusing of contrasts.T2w is 120; set signal to epg"),
        ({"signal": "epg"}, {"sequence": "FSE"}, "contrasts.T2w lacks echoes, their number"),
        ({"b0_field": 1.0}, {}, "bandwidth, which is not set; give it in Hz a pixel"),
        ({"slice_thickness": 15.5}, {}, "15.5 mm; it must be at most 3 times the 5.0 mm .* 15 mm"),
        ({"k_space": 0.2}, {}, "k_space is 0.2; it must be at least 0.25"),
        ({"b1_field": 0.9}, {}, "b1_field is 0.9; it must be at most 0.6"),
        ({"signal": "epgs"}, {}, "allowed: exact, simko, epg .did you mean epg"),
        ({}, {"refocusing": 200}, "refocusing is 200; it must be at most 180"),
    ],
)
def test_an_imperfection_that_can_not_be_is_a_sentence(config, virtual, contrast, sentence):
    config["datasets"]["pelvis"]["virtual"] |= virtual
    config["datasets"]["pelvis"]["contrasts"]["T2w"] |= contrast
    with pytest.raises(InputError, match=sentence) as error:
        resolved(config)
    assert len(str(error.value).splitlines()) == 2


def test_imperfections_that_can_be_are_let_through(config):
    config["datasets"]["pelvis"]["virtual"] |= {
        "signal": "epg", "b1_field": 0.4, "b0_field": 1.0, "bandwidth": 200, "slice_thickness": 15.0
    }  # fmt: skip
    config["datasets"]["pelvis"]["contrasts"]["T2w"] = FSE
    assert resolved(config)["datasets"]["pelvis"]["contrasts"]["T2w"]["refocusing"] == 120


def test_order_of_keys_leaves_settings_and_order_of_contrasts_counts(config):
    first = resolved(config)["datasets"]["pelvis"]
    dataset = config["datasets"]["pelvis"]
    config["datasets"]["pelvis"] = dict(reversed(dataset.items()))
    assert list(resolved(config)["datasets"]["pelvis"]) == list(first)
    dataset["contrasts"] = dict(reversed(dataset["contrasts"].items()))
    config["datasets"]["pelvis"] = dataset
    assert list(resolved(config)["datasets"]["pelvis"]["contrasts"]) == ["PDw", "T2w"]


def test_a_models_settings_come_from_its_scale_and_its_own_come_first(config):
    learning_rate = SCALES["smoke"]["unet"]["learning_rate"]
    config["models"]["wide"] = {"system": "unet", "learning_rate": 2 * learning_rate}
    models = resolved(config)["models"]
    assert models["unet"]["learning_rate"] == learning_rate
    assert models["wide"]["learning_rate"] == 2 * learning_rate


def change(config, path, value):
    *parents, last = path.split(".")
    for key in parents:
        config = config.setdefault(key, {})
    config[last] = value


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("sed", 1, "sed is no setting; allowed there: seed, .* .did you mean seed"),
        ("seed", "20x", "seed is '20x'; it must be a whole number"),
        ("models.unet.learning_rate", "2e-4", "it must be a number. Write 2.0e-4, without quotes"),
        ("models.unet.lerning_rate", 0.1, "did you mean learning_rate"),
        ("models.unet.channels", 16, "it must be like .*, its value in config/scales.yaml"),
        ("models.unet.loss", "l3", "models.unet.loss is 'l3'; allowed: l1, l2"),
        ("models.unet.batch_size", 0, "must be at least 1"),
        ("models.unet.system", "unett", "allowed: alkan, .*did you mean unet"),
        (
            "datasets.pelvis.register.transform",
            "rigit",
            r"datasets.pelvis.register.transform is 'rigit'; allowed: rigid, affine, syn, none "
            ".did you mean rigid",
        ),
        ("datasets.pelvis.virtual.noise", -1, "it must be at least 0"),
        ("datasets.pelvis.virtual.size", [64, 64], "a list of at least 3 entries"),
        ("datasets.pelvis.bids", {"root": "x"}, "exactly one of virtual, bids, dicom"),
        ("datasets.pelvis.reference", "PDv", "is 'PDv'; .*did you mean PDw"),
        ("datasets.pelvis.contrasts.T2w.te", 100, "looks like milliseconds: write 0.1"),
        ("datasets.pelvis.contrasts.T2w.ti", 2.5, "SE has no inversion time"),
        (
            "datasets.pelvis",
            {
                "virtual": {"anatomy": "brain", "patients": 1, "signal": "simko"},
                "contrasts": {"FLAIR": {"sequence": "IR-SE", "te": 0.1, "tr": 9.0, "ti": 2.5}},
                "reference": "FLAIR",
            },
            "an equation without inversion pulse",
        ),
        ("datasets.pelvis.contrasts.T2-w", {}, "'T2-w' must be a name of letters and digits"),
        ("datasets.pelvis.virtual.anatomy", "mrilab", "label_file is not set"),
        ("experiments.pelvis.dataset", "pelvs", "did you mean pelvis"),
        ("experiments.pelvis.models", ["unett"], "names 'unett'; .*did you mean unet"),
        ("experiments.pelvis.split", {"folds": 3, "test": 1}, "has folds, so it takes"),
        ("experiments.pelvis.split", {"train": ["sub-001"]}, "must be lists too"),
        ("experiments.pelvis.split", {"validation": 1}, "needs folds; or train"),
    ],
)
def test_a_wrong_setting_is_a_sentence(config, path, value, sentence):
    change(config, path, value)
    with pytest.raises(InputError, match=f"(?s){sentence}"):
        resolved(config)


def test_every_problem_is_told_at_once(config):
    change(config, "seed", "x")
    change(config, "scale", "smok")
    with pytest.raises(InputError) as error:
        resolved(config)
    assert len(str(error.value).splitlines()) == 3


def test_every_setting_of_every_scale_keeps_its_limits(config):
    for scale, systems in SCALES.items():
        for system, settings in systems.items():
            if system == "every_system":
                continue
            config["models"][f"{system}-{scale}"] = {"system": system, "scale": scale, **settings}
    resolved(config)


def test_without_pairs_every_contrast_goes_to_every_one(config):
    pairs = resolved(config)["experiments"]["pelvis"]["pairs"]
    contrasts = list(config["datasets"]["pelvis"]["contrasts"])
    assert pairs == [[source, target] for source in contrasts for target in contrasts]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pairs": [["T1w", "T3w"]]}, "pairs names 'T3w'; allowed are the contrasts: .*did you"),
        ({"unseen": ["T9"]}, "unseen names 'T9'"),
        ({"unseen": ["PDw", "T2w"]}, "leaves less than two contrasts"),
        (
            {"pairs": [["PDw", "T2w"]], "unseen": ["T2w"], "models": ["pgan"]},
            "learns each pair for itself, .*PDw to T2w",
        ),
        ({"models": ["default_to_param"]}, "default_source is PDw, .*other sources"),
    ],
)
def test_pairs_that_can_not_be_are_a_sentence(config, changes, sentence):
    config["models"] |= {
        "pgan": {"system": "pgan"},
        "default_to_param": {"system": "paramnet", "default_source": "PDw"},
    }
    contrasts = config["datasets"]["pelvis"]["contrasts"]
    contrasts["T1w"] = {"sequence": "SE", "te": 0.01, "tr": 0.5}
    config["experiments"]["pelvis"] |= changes
    with pytest.raises(InputError, match=sentence):
        resolved(config)


@pytest.mark.parametrize(
    ("model", "is_one"),
    [
        ({"system": "pgan"}, True),
        ({"system": "unet_plain"}, True),
        ({"system": "unet"}, False),
        ({"system": "unet", "conditioned": False}, True),
        ({"system": "crl_code"}, False),
    ],
)
def test_a_model_that_is_not_told_te_and_tr_transfers_one_pair(config, model, is_one):
    config["models"]["some"] = model
    assert transfers_one_pair(resolved(config)["models"]["some"]) == is_one


def test_every_system_has_all_its_settings_at_every_scale():
    smoke, *others = SCALES.values()
    for scale in others:
        assert list(scale) == list(smoke)
        for system, settings in scale.items():
            common = set(scale["every_system"])
            assert set(settings) | common == set(smoke[system]) | common


def test_settings_of_the_fit_have_defaults_and_must_fit_the_contrasts(config):
    pelvis = config["datasets"]["pelvis"]
    own = resolved(config)["datasets"]["pelvis"]["fit_maps"]
    assert own == {"activate": True, "gains": {}, "noise": None, "rician": False}
    pelvis["fit_maps"] = {"gains": {"PDx": 2.0}, "rician": True}
    with pytest.raises(InputError, match=r"gains names 'PDx'.*did you mean PDw\?") as problem:
        resolved(config)
    assert "fit_maps.rician needs noise" in str(problem.value)
    pelvis["fit_maps"] = {"gains": {"PDw": 2.0}, "rician": True, "noise": 12.5}
    assert resolved(config)["datasets"]["pelvis"]["fit_maps"]["noise"] == 12.5
    pelvis["fit_maps"]["noise"] = 0
    with pytest.raises(InputError, match="noise"):
        resolved(config)
