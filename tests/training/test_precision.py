"""bfloat16 changes what a training reaches by less than another seed does.

The same at the sizes of `smoke`, with more steps, is measured by benchmarks/precision.py.
"""

import pytest

from pipeline_lib.training.card import read_card
from tests.training.systems import arguments, make_data, run_here, tiny

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("precision"))


@pytest.mark.parametrize(
    "system", ["unet", "simko", "alkan", "crl_code", "paramnet_film", "pgan", "resvit", "ptnet"]
)
def test_bfloat16_reaches_what_float32_reaches_within_the_spread_of_seeds(data, system):
    reached = {}
    for precision in ("float32", "bfloat16"):
        for seed in SEEDS:
            output = f"{system}-{precision}-{seed}"
            model = tiny(system, precision=precision)
            run_here(arguments(data, model, output, seed=seed))
            card = read_card(data / output)
            assert precision in card["machine"]
            reached[precision, seed] = card["metrics"]["validation_mse"]
    full = [reached["float32", seed] for seed in SEEDS]
    half = [reached["bfloat16", seed] for seed in SEEDS]
    assert half != full  # another precision was computed with
    assert abs(sum(half) - sum(full)) / len(SEEDS) <= max(full) - min(full)
