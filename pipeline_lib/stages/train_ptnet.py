"""Train PTNet (Zhang et al. 2021) on one pair of contrasts."""

from pipeline_lib.models.ptnet import PtNet, PtNetSettings
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import job_of, one_pair, training_parser
from pipeline_lib.training.conditional_gan import (
    ConditionalGan,
    ConditionalGanSettings,
    perceptual_of,
)
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.settings import settings_of


def main() -> None:
    """Train one model on one fold."""
    job = job_of(training_parser(__doc__).parse_args())
    size = settings_of(PtNetSettings, job.model)
    settings = settings_of(ConditionalGanSettings, job.model)
    perceptual = perceptual_of(settings)

    def build(machine: Machine) -> ConditionalGan:
        return ConditionalGan(PtNet(size), perceptual(), settings, machine)

    job.run(build, one_pair(job, "none"))


if __name__ == "__main__":
    run_stage(main)
