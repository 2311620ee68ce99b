"""The training of CRL in 7 passes of the encoder against the published one in 42."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline_lib.models.crl import CrlNetwork, CrlSettings
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.crl import CrlTraining, CrlTrainingSettings, structure_loss
from tests.models.probes import Calls
from tests.training.steps import CPU, step

# About those of Table 1 of the paper, from T1-FLAIR to T2.
SEQUENCES = (
    Sequence("IR-FSE", te=0.0096, tr=2.479, ti=1.055),
    Sequence("SE", te=0.02, tr=0.5),
    Sequence("IR-FSE", te=0.106, tr=8.4, ti=2.2),
    Sequence("FSE", te=0.0104, tr=4.0),
    Sequence("FSE", te=0.0104, tr=8.0),
    Sequence("FSE", te=0.06, tr=5.0),
    Sequence("FSE", te=0.1042, tr=8.142),
)
COUNT, IMAGES, SIZE, WEIGHT = len(SEQUENCES), 2, 8, 0.1
BOTH = pytest.mark.parametrize("conditioning", ["attention", "product"])
STRUCTURES = pytest.mark.parametrize("structure", ["all", "consecutive"])


@pytest.fixture
def batch():
    images = torch.rand(IMAGES, COUNT, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return Batch(
        source=images[:, :1],
        targets=images,
        body=torch.ones(IMAGES, 1, SIZE, SIZE) > 0,
        source_contrast=torch.zeros(IMAGES, dtype=torch.int64),
        target_contrasts=torch.arange(COUNT).repeat(IMAGES, 1),
        source_sequences=SEQUENCES[:1] * IMAGES,
        target_sequences=(SEQUENCES,) * IMAGES,
    )


def training_of(conditioning: str, structure: str = "all") -> CrlTraining:
    torch.manual_seed(0)
    settings = CrlTrainingSettings(
        steps=10, learning_rate=1e-3, halve_every=4, structure_weight=WEIGHT, structure=structure,
        patch_size=SIZE, patch_margin=0,
    )  # fmt: skip
    return CrlTraining(CrlNetwork(CrlSettings(2, 16, conditioning)), settings, CPU)


def plain(network: CrlNetwork, batch: Batch, structure: str) -> tuple[Tensor, Tensor]:
    """Pass every ordered pair through the whole network, as the published code does."""
    sources, errors = {}, []
    for source, target in itertools.permutations(range(COUNT), 2):
        image, wanted = batch.targets[:, source, None], batch.targets[:, target, None]
        codes = network.codes([SEQUENCES[source], SEQUENCES[target]], image.device)
        common = network.common(image, codes[0].expand(IMAGES, -1))
        rendered = network.render(common, codes[1].expand(IMAGES, -1))
        errors.append(F.l1_loss(rendered, wanted))
        sources.setdefault(source, common)
    pairs = {
        "all": list(itertools.combinations(range(COUNT), 2)),
        "consecutive": list(itertools.pairwise(range(COUNT))),
    }[structure]
    similar = [correlation(sources[one], sources[other]) for one, other in pairs]
    return torch.stack(errors).mean(), -torch.stack(similar).mean()


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Mean over images and channels of the correlation of two feature maps."""
    one, other = ((x - x.mean(dim=(2, 3), keepdim=True)).flatten(2) for x in (one, other))
    return ((one * other).sum(2) / (one.norm(dim=2) * other.norm(dim=2))).mean()


@BOTH
@STRUCTURES
def test_seven_passes_give_the_loss_and_the_gradients_of_forty_two(batch, conditioning, structure):
    training = training_of(conditioning, structure)
    weights = dict(training.network.named_parameters())
    absolute, similarity = plain(training.network, batch, structure)
    expected = absolute + WEIGHT * similarity
    gradients = dict(zip(weights, torch.autograd.grad(expected, weights.values()), strict=True))

    loss, named = training.losses(batch)
    loss.backward()
    assert named["l1"].item() == pytest.approx(absolute.item(), rel=1e-6)
    assert named["structure"].item() == pytest.approx(similarity.item(), rel=1e-5)
    assert loss.item() == named["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
    # A query's bias moves all scores alike, which a softmax does not see: its gradient is rounding.
    largest = max(gradient.abs().max().item() for gradient in gradients.values())
    for name, weight in weights.items():
        scale = max(gradients[name].abs().max().item(), 1e-3 * largest)
        difference = (weight.grad - gradients[name]).abs().max().item()
        assert difference < 1e-5 * scale, name


@BOTH
def test_each_contrast_passes_the_encoder_once_a_step(batch, conditioning):
    training = training_of(conditioning)
    encoded, decoded = Calls(training.network.encoder), Calls(training.network.decoder)
    step(training, "descent", 0, batch)
    assert sum(len(images) for images in encoded.given) == IMAGES * COUNT
    # Each pair is decoded, and once more in the backward pass instead of being kept.
    assert sum(len(features) for features in decoded.given) == 2 * IMAGES * COUNT * (COUNT - 1)


@BOTH
def test_an_image_is_not_asked_to_become_itself(batch, conditioning):
    """With two contrasts the error is that of the two predictions alone."""
    training = training_of(conditioning)
    network = training.network
    of_two = Batch(
        **{**vars(batch), "targets": batch.targets[:, [0, 6]],
           "target_sequences": (SEQUENCES[::6],) * IMAGES}
    )  # fmt: skip
    _, named = training.losses(of_two)
    errors = [
        (network.predict(of_two.targets[:, [of]], SEQUENCES[6 * of], SEQUENCES[6 * to])
         - of_two.targets[:, [to]]).abs().mean().item()
        for of, to in ((0, 1), (1, 0))
    ]  # fmt: skip
    assert named["l1"].item() == pytest.approx(sum(errors) / 2, rel=1e-5)


def test_a_weight_of_0_leaves_the_structure_out(batch):
    training = training_of("product")
    common = torch.randn(1, 3, 2, 4, 4)
    assert structure_loss(common, "all") != structure_loss(common, "consecutive")
    loss, named = training.losses(batch)
    assert loss.item() == pytest.approx(
        named["l1"].item() + WEIGHT * named["structure"].item(), rel=1e-6
    )


def test_the_rate_is_halved():
    rates = [training_of("product").updates("descent", step)[0].rate for step in (0, 3, 4, 8)]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4])
