"""Train the autoencoder and Param-Net of Narang et al. 2022."""

from pipeline_lib.models.paramnet import ParamNet, ParamNetSettings
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import any_pair, job_of, training_parser
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.paramnet import ParamNetTraining, ParamNetTrainingSettings
from pipeline_lib.training.settings import settings_of


def main() -> None:
    """Train one model on one fold."""
    job = job_of(training_parser(__doc__).parse_args())
    size = settings_of(ParamNetSettings, job.model)
    settings = settings_of(ParamNetTrainingSettings, job.model)

    def build(machine: Machine) -> ParamNetTraining:
        return ParamNetTraining(ParamNet(size), settings, machine)

    dataset = any_pair(job, "none", source=size.default_source or None, drawn_targets=1)
    job.run(build, dataset)


if __name__ == "__main__":
    run_stage(main)
