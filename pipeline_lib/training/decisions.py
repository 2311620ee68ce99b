"""Where the discriminator of Simko et al. 2021 draws its borders between contrasts (Figure 3).

Images of many echo and repetition times are shown to the discriminator of a trained model: of the
training's contrasts it has learnt the names, of those between them it says which they resemble.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Listing
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.simko_discriminator import (
    DiscriminatorSettings,
    SimkoDiscriminator,
    valid_patches,
)
from pipeline_lib.models.simko_regressor import SimkoRegressor
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training.card import read_card
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.settings import settings_of
from pipeline_lib.training.simko_judges import RegressionJudge

COLUMNS = ("images", "sweep", "te", "tr", "class", "share", "chosen")
GENERATED = "generated"
# Values from the shortest to the longest time of the training, and beyond it (the grid of the
# authors' later code, evaluating_range.py).
TR_STEPS, TR_BEYOND = 19, 5
TE_STEPS, TE_BEYOND = 23, 2
REAL = 0.5  # of the regressing discriminator's realness, where its training puts 0 and 1


class Point(NamedTuple):
    """A sequence on one of the lines along which the times are varied: `tr` or `te`."""

    sweep: str
    sequence: Sequence


class Shown(NamedTuple):
    """Images of the same slices at several points.

    Attributes
    ----------
    images
        float32 [slice, point, row, column], on the patient's scale.
    body
        bool [slice, 1, row, column].
    """

    images: Tensor
    body: Tensor


class Reader(Protocol):
    """A discriminator, and what its answers say of the contrast."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the training's contrasts, and `generated`."""

    @property
    def network(self) -> nn.Module:
        """Give the discriminator."""

    def shares(self, images: Tensor, body: Tensor) -> Tensor:
        """Give how much each unit that counts is of each class, [unit, class], 1 in all.

        Parameters
        ----------
        images
            float32 [batch, 1, row, column].
        body
            bool [batch, 1, row, column].
        """


class PatchReader:
    """The paper's discriminator: a unit is a patch that sees any of the body."""

    def __init__(self, network: nn.Module, contrasts: Iterable[str]) -> None:
        self.network = network
        self.classes = (*contrasts, GENERATED)

    def shares(self, images: Tensor, body: Tensor) -> Tensor:
        """See `Reader`: the softmax over the classes."""
        softmax = self.network(images).float().softmax(dim=1)
        return softmax.movedim(1, -1)[valid_patches(body)]


class TimesReader:
    """The later code's discriminator: a unit is an image.

    It is wholly of the contrast whose scaled TE and TR lie nearest to the answer, or generated
    where its realness is below one half.
    """

    def __init__(self, network: SimkoRegressor, contrasts: Mapping[str, Sequence]) -> None:
        self.judge = RegressionJudge(network, contrasts)
        self.network = network
        self.classes = (*contrasts, GENERATED)

    def shares(self, images: Tensor, body: Tensor) -> Tensor:
        """See `Reader`; the body is not looked at."""
        answers = self.network(images).float()
        said = self.judge.nearest(answers)
        said[answers[:, 2] < REAL] = len(self.classes) - 1
        return F.one_hot(said, len(self.classes)).float()


def trained_contrasts(model: Path) -> dict[str, Sequence]:
    """Read which contrasts a model of Simko et al. was trained on, in the order of its classes.

    Raises
    ------
    InputError
        If the model is of another system, or a contrast is no spin echo.
    """
    card = read_card(model)
    if card["system"].partition("_")[0] != "simko":
        raise InputError(
            f"{model} is a {card['system']}, which has no discriminator of contrasts; decision "
            "boundaries are drawn for models of the system simko."
        )
    contrasts = {
        name: Sequence.from_mapping(values)
        for name, values in card["contrasts"].items()
        if name not in card["unseen"]
    }
    for name, sequence in contrasts.items():
        if sequence.kind != "SE":
            raise InputError(
                f"{name} of {model} is a {sequence.kind}; decision boundaries are drawn over the "
                "TE and TR of spin echoes alone."
            )
    return contrasts


def load_reader(model: Path) -> Reader:
    """Load the discriminator of a trained model, on the CPU and ready to read.

    Raises
    ------
    InputError
        See `trained_contrasts`; also if the weights are missing, or not those that the card names.
    """
    contrasts, settings = trained_contrasts(model), read_card(model)["settings"]
    weights = model / "discriminator.safetensors"
    size = settings_of(DiscriminatorSettings, settings)
    reader: Reader
    if settings["discriminator"] == "regressing":
        reader = TimesReader(SimkoRegressor(size), contrasts)
    else:
        reader = PatchReader(SimkoDiscriminator(size, len(contrasts)), contrasts)
    try:
        reader.network.load_state_dict(load_file(weights))
    except FileNotFoundError:
        raise InputError(f"{weights} is missing; train the model again.") from None
    except (RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{weights} is no discriminator that this version can read ({error}); train the model "
            "again."
        ) from None
    reader.network.eval()
    return reader


def grid(contrasts: Mapping[str, Sequence]) -> list[Point]:
    """Give the points of Figure 3: TR varied at the shortest TE, then TE at the longest TR.

    Values are evenly spaced on a log scale from the shortest to the longest of the training (19
    of TR, 23 of TE) and go on beyond it at the same spacing (5 and 2 more); the training's own
    values are put between them.
    """
    shortest_te = min(sequence.te for sequence in contrasts.values())
    longest_tr = max(sequence.tr for sequence in contrasts.values())
    repetitions = _spaced([sequence.tr for sequence in contrasts.values()], TR_STEPS, TR_BEYOND)
    echoes = _spaced([sequence.te for sequence in contrasts.values()], TE_STEPS, TE_BEYOND)
    return [Point("tr", Sequence("SE", shortest_te, tr)) for tr in repetitions] + [
        Point("te", Sequence("SE", te, longest_tr)) for te in echoes
    ]


def acquired_points(contrasts: Mapping[str, Sequence]) -> tuple[list[str], list[Point]]:
    """Give the contrasts that lie on the lines of `grid`, and where: one on both comes twice."""
    shortest_te = min(sequence.te for sequence in contrasts.values())
    longest_tr = max(sequence.tr for sequence in contrasts.values())
    found = [
        (name, Point("tr", seq)) for name, seq in contrasts.items() if seq.te == shortest_te
    ] + [(name, Point("te", seq)) for name, seq in contrasts.items() if seq.tr == longest_tr]
    return [name for name, _ in found], [point for _, point in found]


@torch.no_grad()
def generated(
    model: TransferModel,
    slices: PatientSlices,
    rows: Listing[int],
    sources: Iterable[str],
    points: Listing[Point],
    machine: Machine,
) -> Iterable[Shown]:
    """Generate the images of all points, from each source contrast in turn.

    Parameters
    ----------
    model
        On the machine and ready to predict.
    slices, rows
        A patient, and which of its slices.
    sources
        Names of contrasts.
    points
        Sequences to ask for.
    machine
        Device and precision.
    """
    order = list(slices.contrasts)
    body = torch.from_numpy(slices.body[rows] > 0)[:, None]
    sequences = [point.sequence for point in points]
    for source in sources:
        images = torch.from_numpy(slices.images[rows, order.index(source)])[:, None]
        with machine.autocast():
            made = model.predict_all(images.to(machine.device), slices.contrasts[source], sequences)
        yield Shown(made.float(), body)


@torch.no_grad()
def read_decisions(
    reader: Reader, shown: Iterable[Shown], points: Listing[Point], kind: str, machine: Machine
) -> pd.DataFrame:
    """Let the discriminator read images of each point.

    Parameters
    ----------
    reader
        On the machine and ready to read.
    shown
        Images at all of the points.
    points
        Sequences of the images.
    kind
        Goes to the column `images`: `acquired` or `generated`.
    machine
        Device and precision.

    Returns
    -------
        `COLUMNS`, one row a point and class. Each patch (or image) counts the same: `share` is
        the mean of what the discriminator gives to the class, `chosen` the share of those whose
        likeliest class it is.
    """
    shares = np.zeros((len(points), len(reader.classes)))
    chosen = np.zeros_like(shares)
    count = 0
    for images, body in shown:
        of_body = body.to(machine.device)
        for place in range(len(points)):
            with machine.autocast():
                read = reader.shares(images[:, place : place + 1].to(machine.device), of_body)
            shares[place] += read.double().sum(dim=0).cpu().numpy()
            likeliest = torch.bincount(read.argmax(dim=1).cpu(), minlength=len(reader.classes))
            chosen[place] += likeliest.numpy()
        count += len(read)
    rows = [
        (kind, point.sweep, point.sequence.te, point.sequence.tr, name)
        for point in points
        for name in reader.classes
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS[:5]))
    return table.assign(share=shares.ravel() / count, chosen=chosen.ravel() / count)


def _spaced(known: Listing[float], steps: int, beyond: int) -> list[float]:
    shortest, longest = min(known), max(known)
    ratio = (longest / shortest) ** (1 / (steps - 1))
    values = shortest * ratio ** np.arange(steps + beyond)
    new = [value for value in values if not np.isclose(value, known, rtol=1e-6, atol=0).any()]
    return sorted({*known, *map(float, new)})
