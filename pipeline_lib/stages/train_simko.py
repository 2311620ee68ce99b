"""Train the generator of Simko et al. 2021 against a discriminator, without pairs."""

import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.models.simko import SimkoGenerator, SimkoSettings
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.models.simko_regressor import SimkoRegressor
from pipeline_lib.slices.datasets import UnpairedSlices
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import job_of, training_parser
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.settings import settings_of
from pipeline_lib.training.simko import SimkoTraining, SimkoTrainingSettings
from pipeline_lib.training.simko_judges import ClassJudge, Judge, RegressionJudge

ROWS_AT_ONCE = 2**16


def main() -> None:
    """Train one model on one fold."""
    arguments = training_parser(__doc__).parse_args()
    if arguments.unpaired is None:
        raise InputError("simko trains without pairs; name the table of draws with --unpaired.")
    job = job_of(arguments)
    table = pd.read_csv(arguments.unpaired, dtype={"patient": str}, chunksize=ROWS_AT_ONCE)
    dataset = UnpairedSlices(job.folders["train"], table, job.run_seed, job.seen, job.held)
    size = settings_of(SimkoSettings, job.model)
    size.check(job.contrasts)
    of_discriminator = settings_of(DiscriminatorSettings, job.model)
    settings = settings_of(SimkoTrainingSettings, job.model)

    def judge() -> Judge:
        if settings.discriminator == "regressing":
            seen = {name: job.contrasts[name] for name in job.seen}
            return RegressionJudge(SimkoRegressor(of_discriminator), seen)
        network = SimkoDiscriminator(of_discriminator, len(job.seen))
        return ClassJudge(network, job.indices(job.seen))

    def build(machine: Machine) -> SimkoTraining:
        return SimkoTraining(SimkoGenerator(size), judge(), settings, machine)

    job.run(build, dataset, tables=[arguments.unpaired])


if __name__ == "__main__":
    run_stage(main)
