# Least-squares PD, T1 and T2 within the segmented tissues.


rule fit_maps:
    input:
        slices="results/slices/{dataset}/{patient}",
        truth=truth_folder,
    output:
        directory("results/fit_maps/{dataset}/{patient}"),
    log:
        "results/logs/fit_maps/{dataset}/{patient}.log",
    benchmark:
        "results/benchmarks/fit_maps/{dataset}/{patient}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        truth=named("--truth", truth_folder),
        options=fit_options,
        code=code("fit_maps"),
    shell:
        "python -m pipeline_lib.stages.fit_maps --slices {input.slices} {params.truth}"
        " --output {output} --options {params.options:q} &> {log}"
