"""The cost of a step, told before the first one."""

import resource
from pathlib import Path

import pytest
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.models.alkan import AlkanNetwork, AlkanSettings
from pipeline_lib.training import job, preflight
from pipeline_lib.training.alkan import AlkanTraining, AlkanTrainingSettings
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.preflight import Preflight, check_memory
from tests.training.steps import CPU, batch_of
from tests.training.systems import SYSTEMS, arguments, family, make_data, preset, run_here, tiny

CHANNELS, LAYERS, SIZE = 8, 3, 64
GIB = 2**30


def build(machine: Machine) -> AlkanTraining:
    """Three convolutions of 3 x 3 pixels, from 1 to 8 to 8 channels to 1."""
    network = AlkanNetwork(AlkanSettings(LAYERS, CHANNELS, False, 0.1), ())
    return AlkanTraining(network, AlkanTrainingSettings(5, 0.1, 5, SIZE, SIZE), machine)


def expected_of(count: int, accumulate: int = 1) -> Preflight:
    images = torch.zeros(count, 1, SIZE, SIZE)
    batch = batch_of(images, images, [0] * count, [[1]] * count)
    return preflight.preflight(build, batch, accumulate, CPU)


def activations(count: int) -> float:
    """Bytes beyond those that a batch of 8 and one of 16 have in common."""
    common = 2 * expected_of(8).memory_bytes - expected_of(16).memory_bytes
    return expected_of(count).memory_bytes - common


def test_weights_of_a_small_network_are_counted():
    """Weights and biases of three convolutions, gains and offsets of two normalisations."""
    by_hand = (9 * 1 * 8 + 8) + 2 * 8 + (9 * 8 * 8 + 8) + 2 * 8 + (9 * 8 * 1 + 1)
    assert expected_of(2).parameters == {"model": by_hand}


@pytest.mark.parametrize("count", [1, 4])
def test_operations_of_a_small_network_are_those_worked_out_by_hand(count):
    """Forward, gradient of the weights and gradient of the input are equally dear.

    The first layer needs no gradient of its input, which is the image.
    """
    first, second, third = (
        2 * 9 * into * out * SIZE * SIZE for into, out in ((1, 8), (8, 8), (8, 1))
    )
    assert expected_of(count).flops == count * (2 * first + 3 * second + 3 * third)


@pytest.mark.parametrize("accumulate", [2, 4])
def test_parts_of_a_batch_are_as_many_operations_as_the_whole(accumulate):
    assert expected_of(8, accumulate).flops == expected_of(8).flops


def test_memory_grows_in_a_line_with_the_batch():
    assert activations(32) == pytest.approx(4 * activations(8), rel=1e-3)
    assert activations(4) == pytest.approx(activations(8) / 2, rel=1e-2)
    # Six feature maps at least are kept for the backward pass, before and after normalisation.
    assert activations(8) > 6 * 8 * CHANNELS * SIZE * SIZE * 4
    assert activations(8) < 20 * 8 * CHANNELS * SIZE * SIZE * 4


def test_two_parts_take_the_activations_of_half_a_batch():
    """The images of the other half are in memory all the same."""
    waiting = 8 * SIZE * SIZE * 4
    beyond = expected_of(16, accumulate=2).memory_bytes - expected_of(8).memory_bytes
    assert 0 <= beyond <= 2 * waiting < 0.05 * activations(8)


def test_the_cost_is_that_of_the_dearest_phase(costs):
    """The second stage of ResViT passes the transformers too."""
    cheap, dear = (
        costs("resvit", "smoke", layers=layers, batch_size=2, grid=2) for layers in (1, 6)
    )
    assert dear.flops > 1.02 * cheap.flops
    assert dear.memory_bytes > cheap.memory_bytes


class Told(BaseException):
    """The expected cost, in place of a training."""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Patients of the size that paper presets want."""
    return make_data(tmp_path_factory.mktemp("large"), size=256)


@pytest.fixture
def costs(large, monkeypatch):
    """Give what a stage finds the training of a system to cost."""

    def tell(expected, *_):
        raise Told(expected)

    def cost(system, scale, **changes):
        model = {"name": system, "system": system, **preset(scale, system), **changes}
        monkeypatch.setattr(job, "check_memory", tell)
        with pytest.raises(Told) as told:
            run_here(
                arguments(
                    large, {**model, "workers": 0, "precision": "float32"}, f"{system}-{scale}"
                )
            )
        return told.value.args[0]

    return cost


# Millions, as published: Simko et al. 2021 (section 2), Dar et al. 2019, Dalmaz et al. 2022; and
# of pix2pix' discriminator.
PUBLISHED = {
    "simko": {"model": 19.6, "discriminator": 8.6},
    "pgan": {"model": 11.4, "discriminator": 2.8},
    "resvit": {"model": 123, "discriminator": 2.8},
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_papers_own_training_is_counted_without_its_memory(costs, system):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    expected = costs(system, "paper")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert after < 2 * GIB and after - before < 0.1 * GIB
    found = {name: count / 1e6 for name, count in expected.parameters.items()}
    if system in PUBLISHED:
        assert found == pytest.approx(PUBLISHED[system], rel=0.02)
    # Every weight is used once at least for every image.
    assert expected.flops > 2e6 * max(found.values())
    assert expected.memory_bytes > 16e6 * sum(found.values())
    if family(system) == "crl":
        assert found["model"] == pytest.approx(38.9, abs=0.6)
        # Two feature maps of 256 channels a block, of 4 patches in 3 contrasts.
        assert expected.memory_bytes > 2 * 32 * 4 * 3 * 256 * 64 * 64 * 4


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_step_that_does_not_fit_is_refused_in_a_sentence(monkeypatch, accumulate):
    monkeypatch.setattr(preflight, "_free_bytes", lambda machine: 2.0 * GIB)
    check_memory(Preflight({}, 0, 1.9 * GIB), CPU, accumulate)
    with pytest.raises(InputError) as told:
        check_memory(Preflight({}, 0, 3.25 * GIB), CPU, accumulate)
    sentence = str(told.value)
    assert f"set accumulate of the model to {2 * accumulate}" in sentence
    assert "needs some 3.2 GiB" in sentence and "2.0 GiB free" in sentence
    assert sentence.count(". ") == 0 and sentence.endswith(".")


def test_where_the_free_memory_is_unknown_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(preflight, "_free_bytes", lambda machine: None)
    check_memory(Preflight({}, 0, 1e18), CPU, 1)


def test_a_training_that_does_not_fit_writes_nothing(large, monkeypatch):
    monkeypatch.setattr(preflight, "_free_bytes", lambda machine: 1.0)
    with pytest.raises(InputError, match="set accumulate"):
        run_here(arguments(large, tiny("unet"), "refused"))
    assert not [path for path in Path(large).glob("refused*") if list(path.rglob("*.*"))]


def test_the_cost_is_said_in_words():
    expected = Preflight({"model": 2_500_000, "discriminator": 40_000}, 1.5e12, 3 * GIB)
    assert str(expected) == (
        "2.50 M weights in model, 0.04 M weights in discriminator; 1,500.0 GFLOP a step; "
        "3.00 GiB expected"
    )
