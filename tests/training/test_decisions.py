"""Decision boundaries of discriminators whose answers are known."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.models.simko_regressor import SimkoRegressor
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.training.card import write_model
from pipeline_lib.training.decisions import (
    GENERATED,
    PatchReader,
    Point,
    Shown,
    TimesReader,
    acquired_points,
    generated,
    grid,
    load_reader,
    read_decisions,
)
from tests.training.steps import CPU
from tests.training.stores import write_patient

# Table 1 of Simko et al. 2021.
CONTRASTS = {
    "T2w75": Sequence("SE", 0.075, 4.5),
    "T2w120": Sequence("SE", 0.12, 4.5),
    "T1w400": Sequence("SE", 0.008, 0.4),
    "T1w750": Sequence("SE", 0.008, 0.75),
    "PDw": Sequence("SE", 0.008, 4.5),
}


class Answering(nn.Module):
    """Gives what it is told, whatever it is shown."""

    def __init__(self, answers):
        super().__init__()
        self.answers = torch.tensor(answers)

    def forward(self, image):
        return self.answers.expand(len(image), *self.answers.shape)


class OfEchoTime(TransferModel):
    """Predicts images that are as bright as the echo time asked for."""

    def predict(self, source_image, source, target):
        return torch.full_like(source_image, target.te)


class Brightness(nn.Module):
    """Knows two contrasts: images above 0.05, and all others; nothing looks generated to it."""

    def forward(self, image):
        bright = (image.mean(dim=(2, 3)) > 0.05).float()
        logits = torch.cat([bright, 1 - bright, torch.zeros_like(bright)], dim=1) * 50
        return logits[..., None, None]


def test_the_grid_is_that_of_figure_3():
    points = grid(CONTRASTS)
    repetitions = [p.sequence.tr for p in points if p.sweep == "tr"]
    echoes = [p.sequence.te for p in points if p.sweep == "te"]
    # 19 and 23 values of which both ends are the training's, 0.75 s and 75 ms, and those beyond.
    assert len(repetitions) == 19 + 1 + 5
    assert len(echoes) == 23 + 1 + 2
    assert {0.4, 0.75, 4.5} < set(repetitions)
    assert {0.008, 0.075, 0.12} < set(echoes)
    assert repetitions == sorted(repetitions)
    np.testing.assert_allclose(repetitions[-1], 4.5 * (4.5 / 0.4) ** (5 / 18))
    np.testing.assert_allclose(echoes[1] / echoes[0], (0.12 / 0.008) ** (1 / 22))
    assert {p.sequence.te for p in points if p.sweep == "tr"} == {0.008}
    assert {p.sequence.tr for p in points if p.sweep == "te"} == {4.5}


def test_a_training_value_on_the_grid_is_there_once():
    middle = Sequence("SE", 0.008, float(np.geomspace(0.4, 4.5, 19)[9]))
    points = grid({**CONTRASTS, "middle": middle})
    assert len([p for p in points if p.sweep == "tr"]) == 19 + 1 + 5


def test_acquired_contrasts_are_points_where_they_lie():
    names, points = acquired_points({**CONTRASTS, "off": Sequence("SE", 0.03, 1.0)})
    assert names == ["T1w400", "T1w750", "PDw", "T2w75", "T2w120", "PDw"]
    assert [point.sweep for point in points] == ["tr"] * 3 + ["te"] * 3


def test_patches_without_body_do_not_count():
    # One pixel of body in the corner: patches of 191 pixels around (0, 0) to (64, 64) see it.
    shares = torch.full((8, 8, 3), 1 / 3)
    shares[:3, :3] = torch.tensor([0.7, 0.2, 0.1])
    shares[0, 0] = torch.tensor([0.1, 0.3, 0.6])
    reader = PatchReader(Answering(shares.movedim(-1, 0).log().tolist()), ["A", "B"])
    body = torch.zeros(2, 1, 256, 256, dtype=torch.bool)
    body[:, 0, 0, 0] = True
    point = Point("te", CONTRASTS["PDw"])
    shown = [Shown(torch.zeros(2, 1, 256, 256), body)]
    table = read_decisions(reader, shown, [point], "acquired", CPU).set_index("class")
    assert list(table.index) == ["A", "B", GENERATED]
    # Nine patches in each of two images, one of the nine differs.
    np.testing.assert_allclose(table["share"], [5.7 / 9, 1.9 / 9, 1.4 / 9], rtol=1e-6)
    np.testing.assert_allclose(table["chosen"], [8 / 9, 0, 1 / 9], rtol=1e-6)
    assert set(table["images"]) == {"acquired"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        # TE 0.6 of the way from 8 to 120 ms is 75 ms, TR 1 is 4.5 s.
        ([0.6, 1.0, 0.9], "T2w75"),
        ([1.4, 0.9, 0.9], "T2w120"),
        ([0.0, 0.02, 0.51], "T1w400"),
        ([0.0, 0.02, 0.49], GENERATED),
    ],
)
def test_the_regressing_discriminator_says_the_nearest_contrast(answer, said):
    reader = TimesReader(Answering(answer), CONTRASTS)
    shares = reader.shares(torch.zeros(3, 1, 8, 8), torch.ones(3, 1, 8, 8, dtype=torch.bool))
    assert shares.tolist() == [[float(name == said) for name in reader.classes]] * 3


def test_the_border_lies_where_the_discriminator_draws_it(tmp_path):
    slices = write_patient(tmp_path, "sub-1", 0)
    reader = PatchReader(Brightness(), ["long", "short"])
    points = grid(CONTRASTS)
    shown = list(generated(OfEchoTime(), slices, [0, 3], ["PDw", "T2w"], points, CPU))
    assert len(shown) == 2
    assert shown[0].images.shape == (2, len(points), 32, 32)
    table = read_decisions(reader, shown, points, "generated", CPU)
    assert len(table) == 3 * len(points)
    long = table[table["class"] == "long"]
    np.testing.assert_array_equal(long["chosen"], (long["te"] > 0.05).astype(float))
    np.testing.assert_allclose(long["share"], long["chosen"], atol=1e-6)


def write(folder, network, system="simko", contrasts=CONTRASTS, **settings):
    folder.mkdir(exist_ok=True)
    (folder / "losses.csv").write_text("phase,step,seconds,name,value\n")
    card = {
        "system": system,
        "settings": {"discriminator": "classes", "discriminator_channels": 4, **settings},
        "contrasts": {name: sequence.to_mapping() for name, sequence in contrasts.items()},
        "unseen": ["T2w75"],
    }
    weights = {} if network is None else {"discriminator": network.state_dict()}
    write_model(folder / "model", weights, card, folder / "losses.csv")
    return folder / "model"


@pytest.mark.parametrize("kind", ["classes", "regressing"])
def test_a_trained_discriminator_answers_as_it_did(tmp_path, kind):
    torch.manual_seed(0)
    size = DiscriminatorSettings(4)
    network = SimkoRegressor(size) if kind == "regressing" else SimkoDiscriminator(size, 4)
    reader = load_reader(write(tmp_path, network, discriminator=kind))
    assert reader.classes == ("T2w120", "T1w400", "T1w750", "PDw", GENERATED)
    image = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.equal(reader.network(image), network.eval()(image))


def test_what_has_no_decision_boundary_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a unet"):
        load_reader(write(tmp_path, None, system="unet"))
    train = {**CONTRASTS, "FSE": Sequence("FSE", 0.1, 4.5)}
    with pytest.raises(InputError, match=r"FSE of .* is a FSE"):
        load_reader(write(tmp_path, None, contrasts=train))
    with pytest.raises(InputError, match=r"discriminator\.safetensors is missing"):
        load_reader(write(tmp_path, None))
    few = SimkoDiscriminator(DiscriminatorSettings(4), 2)
    with pytest.raises(InputError, match="no discriminator that this version can read"):
        load_reader(write(tmp_path, few))
    card = json.loads((write(tmp_path, None) / "card.json").read_text())
    assert card["unseen"] == ["T2w75"]
