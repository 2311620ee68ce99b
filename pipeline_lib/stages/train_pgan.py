"""Train pGAN (Dar et al. 2019) on one pair of contrasts."""

from pipeline_lib.models.pgan import PganGenerator, PganSettings
from pipeline_lib.slices.selection import Channels
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
    size = settings_of(PganSettings, job.model)
    settings = settings_of(ConditionalGanSettings, job.model)
    channels = Channels(neighbours=size.slices // 2)
    perceptual = perceptual_of(settings)

    def build(machine: Machine) -> ConditionalGan:
        return ConditionalGan(PganGenerator(size), perceptual(), settings, machine)

    job.run(build, one_pair(job, "none", channels), channels)


if __name__ == "__main__":
    run_stage(main)
