"""Train the convolutions of Alkan et al. 2017 on patches of one pair of contrasts."""

from pipeline_lib.models.alkan import AlkanNetwork, AlkanSettings
from pipeline_lib.slices.selection import Channels, Patches
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import job_of, one_pair, training_parser
from pipeline_lib.training.alkan import AlkanTraining, AlkanTrainingSettings, training_mean
from pipeline_lib.training.machine import Machine, prefer_huge_pages
from pipeline_lib.training.settings import settings_of


def main() -> None:
    """Train one model on one fold."""
    prefer_huge_pages()
    job = job_of(training_parser(__doc__).parse_args())
    size = settings_of(AlkanSettings, job.model)
    settings = settings_of(AlkanTrainingSettings, job.model)
    channels = Channels(tissues=job.tissues if size.tissue_masks else ())
    patches = Patches(settings.patch_size, stride=settings.patch_stride)
    dataset = one_pair(job, "none", channels, patches)
    mean = training_mean(dataset)

    def build(machine: Machine) -> AlkanTraining:
        network = AlkanNetwork(size, job.tissues)
        network.mean.fill_(mean)
        return AlkanTraining(network, settings, machine)

    job.run(build, dataset, channels)


if __name__ == "__main__":
    run_stage(main)
