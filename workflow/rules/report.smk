# One page that opens offline. (Snakemake's own report goes elsewhere: `--report
# results/provenance.zip`; written to results/report.html it would replace this one silently.)


rule report:
    input:
        evaluation=[
            "results/evaluation/metrics.parquet",
            "results/evaluation/summary.csv",
            "results/evaluation/external.csv",
            "results/evaluation/generalisation.csv",
            "results/evaluation/comparisons.csv",
            "results/evaluation/tissues.csv",
            "results/evaluation/maps.csv",
        ],
        decisions=of_simko("decide", "simko2021"),
        maps=fitted_maps(),
        patients=all_patients(),
        quality=quality_folders(),
        descriptions=dataset_descriptions(),
        # What it reads besides, of all that was made on the way to the above.
        read=in_storage(report_reads()),
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report/report.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        options=report_options(),
        code=code("report"),
    shell:
        "python -m pipeline_lib.stages.report --results $(dirname {output})"
        " --patients {input.patients} --output {output}"
        " --options {params.options:q} &> {log}"
