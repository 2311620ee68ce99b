"""Train the generator of Simko et al. 2021 against its discriminator, without pairs."""

import pandas as pd
import torch

from pipeline_lib.models.simko import SimkoGenerator, SimkoSettings
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.slices.datasets import UnpairedSlices
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import job_of, training_parser
from pipeline_lib.training.machine import this_machine
from pipeline_lib.training.settings import settings_of
from pipeline_lib.training.simko import SimkoTraining, SimkoTrainingSettings


def main() -> None:
    """Train one model on one fold."""
    arguments = training_parser(__doc__).parse_args()
    job = job_of(arguments)
    machine = this_machine()
    table = pd.read_csv(arguments.unpaired, dtype={"patient": str})
    dataset = UnpairedSlices(job.folders["train"], table, job.run_seed)
    torch.manual_seed(job.run_seed)
    generator = settings_of(SimkoSettings, job.model)
    generator.check(job.contrasts)
    method = SimkoTraining(
        SimkoGenerator(generator),
        SimkoDiscriminator(settings_of(DiscriminatorSettings, job.model), len(job.contrasts)),
        settings_of(SimkoTrainingSettings, job.model),
        machine,
    )
    job.run(method, dataset, machine, tables=[arguments.unpaired])


if __name__ == "__main__":
    run_stage(main)
