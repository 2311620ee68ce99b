"""Write the patients of a dataset, {session: patient}, for the stages that name all of them."""

import json

from pipeline_lib.files import write_json
from pipeline_lib.imaging.bids import patient_of

# Snakemake defines `snakemake`.
sessions = json.loads(snakemake.params.options)["sessions"]  # noqa: F821
write_json(snakemake.output[0], {name: patient_of(name) for name in sessions})  # noqa: F821
