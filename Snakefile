# Recontrast: from raw MR scans to evaluated contrast-transfer models.
#
#   snakemake --cores 8 results/report.html
#   snakemake --cores 8 scans                    the virtual patients alone
#
# The manual of config/config.yaml is config/README.md; the stages are in pipeline_lib/stages.

from snakemake.utils import min_version

min_version("9.0")

# A configuration given with --configfile stands alone: merged with the default one, it would
# run that one's datasets too.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/common/storage.smk"
include: "workflow/common/configuration.smk"
include: "workflow/common/environment.smk"
include: "workflow/common/options.smk"
include: "workflow/common/files.smk"
include: "workflow/common/resources.smk"
include: "workflow/rules/patients.smk"
include: "workflow/rules/scans.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/slices.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/maps.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        "results/report.html",
    localrule: True


# Virtual patients alone, as BIDS datasets with their truth: results/simulate.
rule scans:
    input:
        virtual_scans(),
    localrule: True
