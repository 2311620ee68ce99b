"""The options of a run like the default one: nine experiments of four papers."""

from tests.report.fabricate import every_pair, options

NARANG = ["default", "tr30te90", "tr34te40", "tr60te75", "tr80te120"]
SYSTEMS_OF_ONE_PAIR = ["pgan", "resvit", "ptnet", "unet_plain"]


def virtual(contrasts: list[str], patients: int) -> dict:
    """Describe a virtual dataset."""
    return {
        "kind": "virtual",
        "sessions": {f"sub-{i:03d}": f"sub-{i:03d}" for i in range(1, patients + 1)},
        "contrasts": contrasts,
        "reference": contrasts[0],
    }


def nine_experiments() -> dict:
    """Give the stage's options: 9 experiments, 3 of them leaked, 47 trainings."""
    datasets = {
        "pelvis": virtual(["PDw", "T1w", "T2w"], 12),
        "alkan": virtual(["T1w", "T2w", "PDw"], 6),
        "crl": virtual([f"seq{i}" for i in range(1, 10)], 6),
        "narang": virtual(NARANG, 6),
        "brainweb": virtual(NARANG, 1),
    }
    one_pair = [["T1w", "T2w"]]
    table_2 = [[f"seq{a}", f"seq{b}"] for a, b in ((5, 9), (5, 1), (5, 7), (7, 5), (7, 1), (7, 9))]
    from_default = [["default", name] for name in NARANG[1:]]
    alkan = {"dataset": "alkan", "paper": "alkan2017", "pairs": one_pair, "folds": 1}
    alkan_models = ["alkan_3", "alkan_3_masks", "alkan_9", "alkan_9_masks", "unet_plain"]
    narang = {"dataset": "narang", "paper": "narang2022", "folds": 1}
    unseen = {"unseen": NARANG[-1:], "seen": 2, "external": ["brainweb"]}
    param = {
        "models": ["paramnet", "paramnet_film", "unet"],
        "pairs": every_pair(datasets["narang"]),
    }
    default = {"models": ["paramnet_default", "unet"], "pairs": from_default}
    experiments = {
        "simko2021": {
            "dataset": "pelvis", "paper": "simko2021", "folds": 2,
            "models": ["unet", "simko", "simko_regressing"],
        },
        "alkan2017_within": {**alkan, "models": alkan_models, "leaked": "slice"},
        "alkan2017_many": {**alkan, "models": alkan_models},
        "crl2024": {
            "dataset": "crl", "paper": "crl2024", "folds": 1, "seen": 1,
            "models": ["crl_paper", "crl_code", "unet"], "unseen": ["seq4", "seq6"],
        },
        "crl2024_pairs": {
            "dataset": "crl", "paper": "crl2024", "folds": 1, "pairs": table_2,
            "models": SYSTEMS_OF_ONE_PAIR[:3], "one_pair": SYSTEMS_OF_ONE_PAIR[:3],
        },
        "narang2022_leaked_default": {**narang, **default, "leaked": "image"},
        "narang2022_leaked_param": {**narang, **param, "leaked": "image"},
        "narang2022_default": {**narang, **default, **unseen},
        "narang2022_param": {**narang, **param, **unseen},
    }  # fmt: skip
    return options(datasets, experiments)
