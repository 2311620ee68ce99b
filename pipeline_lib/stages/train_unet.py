"""Train the U-Net regression on pairs of contrasts."""

from pipeline_lib.models.unet import UNet, UNetSettings
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import any_pair, job_of, one_pair, training_parser
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.regression import Regression, RegressionSettings
from pipeline_lib.training.settings import settings_of


def main() -> None:
    """Train one model on one fold."""
    job = job_of(training_parser(__doc__).parse_args())
    size = settings_of(UNetSettings, job.model)
    settings = settings_of(RegressionSettings, job.model)

    def build(machine: Machine) -> Regression:
        return Regression(UNet(size), settings, machine)

    if size.conditioned:
        job.run(build, any_pair(job, "mirror", drawn_targets=settings.targets))
    else:
        job.run(build, one_pair(job, "mirror"))


if __name__ == "__main__":
    run_stage(main)
