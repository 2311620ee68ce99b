"""Training of Narang et al. 2022: first the autoencoder, then Param-Net on its frozen features."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn
from torch.optim import Adam, Optimizer

from pipeline_lib.models.layers import padded, to_signed
from pipeline_lib.models.paramnet import ParamNet
from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Losses, Method, Phase, Update

AUTOENCODER, PARAMETERS = "autoencoder", "parameters"
# Of Adam, as in the authors' notebooks.
BETAS = (0.5, 0.999)


@dataclass(frozen=True)
class ParamNetTrainingSettings:
    """Length of both phases and their rate.

    Attributes
    ----------
    autoencoder_steps
        Steps in which the autoencoder learns to give back the training images. (The paper's
        first training, on photographs of Places-365, is left out.)
    steps
        Steps of Param-Net.
    learning_rate
        Of Adam in both phases, 1e-3 in the notebooks.
    """

    autoencoder_steps: int
    steps: int
    learning_rate: float


class ParamNetTraining(Method):
    """A method (see `training.method`): the mean squared error of images between -1 and 1."""

    def __init__(
        self, model: ParamNet, settings: ParamNetTrainingSettings, machine: Machine
    ) -> None:
        self.model = self.network = machine.place(model)
        self.settings = settings
        self.machine = machine
        self.phases = (
            Phase(AUTOENCODER, settings.autoencoder_steps, selects=False),
            Phase(PARAMETERS, settings.steps, selects=True),
        )
        autoencoder = model.autoencoder
        own = [weight for part in (model.blocks, model.head) for weight in part.parameters()]
        rate = settings.learning_rate
        self.of_autoencoder = Adam(autoencoder.parameters(), lr=rate, betas=BETAS, fused=True)
        self.of_model = Adam(own, lr=rate, betas=BETAS, fused=True)

    def networks(self) -> Mapping[str, nn.Module]:
        """Give Param-Net, which holds its autoencoder."""
        return {"model": self.model}

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Give both optimisers."""
        return {"autoencoder": self.of_autoencoder, "model": self.of_model}

    def updates(self, phase: str, step: int) -> list[Update]:
        """Give the one update of a phase; it logs the loss."""
        rate = self.settings.learning_rate
        if phase == AUTOENCODER:
            return [Update(self.of_autoencoder, self._give_back, rate)]
        return [Update(self.of_model, self._transfer, rate)]

    def _give_back(self, batch: Batch) -> Losses:
        self.network.autoencoder.train()
        image = to_signed(padded(batch.source, 2 ** len(self.network.blocks)))
        with self.machine.autocast():
            given = self.network.autoencoder(image)
        loss = ((given.float() - image) ** 2).mean()
        return loss, {"autoencoder_loss": loss}

    def _transfer(self, batch: Batch) -> Losses:
        assert batch.targets is not None  # paired data always have it
        wanted = [targets[0] for targets in batch.target_sequences]
        with self.machine.autocast():
            predicted = self.network(batch.source, batch.source_sequences, wanted)
        loss = ((to_signed(predicted) - to_signed(batch.targets)) ** 2).mean()
        return loss, {"loss": loss}
