"""Train the contrast representations of Xiong et al. 2024 on patches of all contrasts."""

from pipeline_lib.models.crl import CrlNetwork, CrlSettings
from pipeline_lib.slices.selection import Patches
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.training_command import any_pair, job_of, training_parser
from pipeline_lib.training.crl import CrlTraining, CrlTrainingSettings
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.settings import settings_of


def main() -> None:
    """Train one model on one fold."""
    job = job_of(training_parser(__doc__).parse_args())
    size = settings_of(CrlSettings, job.model)
    settings = settings_of(CrlTrainingSettings, job.model)
    patches = Patches(settings.patch_size, margin=settings.patch_margin)

    def build(machine: Machine) -> CrlTraining:
        return CrlTraining(CrlNetwork(size), settings, machine)

    job.run(build, any_pair(job, "dihedral", patches))


if __name__ == "__main__":
    run_stage(main)
