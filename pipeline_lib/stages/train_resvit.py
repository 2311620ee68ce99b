"""Train ResViT (Dalmaz et al. 2022) on one pair of contrasts, in its two stages."""

from pathlib import Path

from pipeline_lib.models.resvit import ResVitGenerator, ResVitSettings
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import job_of, one_pair, training_parser
from pipeline_lib.training.conditional_gan import ConditionalGanSettings, perceptual_of
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.resvit import ResVitTraining, ResVitTrainingSettings
from pipeline_lib.training.settings import settings_of


def main() -> None:
    """Train one model on one fold."""
    job = job_of(training_parser(__doc__).parse_args())
    size = settings_of(ResVitSettings, job.model)
    first = settings_of(ResVitTrainingSettings, job.model)
    settings = settings_of(ConditionalGanSettings, job.model)
    perceptual = perceptual_of(settings)

    def build(machine: Machine) -> ResVitTraining:
        generator = ResVitGenerator(size)
        if first.transformer_weights:
            generator.load_transformer(Path(first.transformer_weights))
        return ResVitTraining(generator, first, settings, machine, perceptual())

    job.run(build, one_pair(job, "none"))


if __name__ == "__main__":
    run_stage(main)
