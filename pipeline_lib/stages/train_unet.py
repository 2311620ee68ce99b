"""Train the U-Net regression on pairs of contrasts."""

import torch

from pipeline_lib.models.unet import UNet, UNetSettings
from pipeline_lib.slices.datasets import PairedSlices
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import job_of, training_parser
from pipeline_lib.training.machine import this_machine
from pipeline_lib.training.regression import Regression, RegressionSettings
from pipeline_lib.training.settings import settings_of


def main() -> None:
    """Train one model on one fold."""
    job = job_of(training_parser(__doc__).parse_args())
    machine = this_machine()
    dataset = PairedSlices(job.folders["train"], job.run_seed)
    torch.manual_seed(job.run_seed)
    model = UNet(settings_of(UNetSettings, job.model))
    method = Regression(model, settings_of(RegressionSettings, job.model), machine)
    job.run(method, dataset, machine)


if __name__ == "__main__":
    run_stage(main)
