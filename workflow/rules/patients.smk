# Who is in a dataset. A file, because thousands of names are too long for a command line.


rule patients:
    output:
        "results/patients/{dataset}.json",
    log:
        "results/logs/patients/{dataset}.log",
    benchmark:
        "results/benchmarks/patients/{dataset}.tsv"
    localrule: True
    params:
        options=lambda wildcards: as_options(sessions=list(RAW_SCANS[wildcards.dataset])),
    script:
        "../scripts/write_patients.py"
