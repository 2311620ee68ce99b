# Raw scans: simulated, converted from DICOM, or as they lie in a BIDS folder; all of them checked.


rule simulate:
    output:
        raw=intermediate("results/simulate/{dataset}/{patient}"),
        truth=directory("results/simulate/{dataset}/derivatives/truth/{patient}"),
    log:
        "results/logs/simulate/{dataset}/{patient}.log",
    benchmark:
        "results/benchmarks/simulate/{dataset}/{patient}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=memory(700, scan_size, 600),
        runtime=minutes(20, session_size, 0.5),
    params:
        each=for_each(temporary=not KEEPS_INTERMEDIATE),
        options=simulate_options,
        code=code("simulate"),
    shell:
        "python -m {params.each}pipeline_lib.stages.simulate --patient {wildcards.patient}"
        " --output {output.raw} --output-truth {output.truth} --options {params.options:q} &> {log}"


rule simulate_dataset:
    input:
        patients="results/patients/{dataset}.json",
    output:
        description="results/simulate/{dataset}/dataset_description.json",
        truth="results/simulate/{dataset}/derivatives/truth/dataset_description.json",
        participants="results/simulate/{dataset}/participants.tsv",
    log:
        "results/logs/simulate_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/simulate_dataset/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        options=simulate_options,
        code=code("simulate_dataset"),
    shell:
        "python -m pipeline_lib.stages.simulate_dataset --patients {input.patients}"
        " --output-description {output.description}"
        " --output-truth-description {output.truth} --output-participants {output.participants}"
        " --options {params.options:q} &> {log}"


rule convert_dicom:
    input:
        dicom_folders,
    output:
        intermediate("results/convert_dicom/{dataset}/{session}"),
    log:
        "results/logs/convert_dicom/{dataset}/{session}.log",
    benchmark:
        "results/benchmarks/convert_dicom/{dataset}/{session}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500, scan_size, 100),
        runtime=minutes(30, session_size, 0.5),
    params:
        each=for_each(temporary=not KEEPS_INTERMEDIATE),
        options=dataset_options(contrasts=dict),
        code=code("convert_dicom"),
    shell:
        "python -m {params.each}pipeline_lib.stages.convert_dicom --source {input:q}"
        " --patient {wildcards.session} --output {output} --options {params.options:q} &> {log}"


rule check_scans:
    input:
        raw_input,
    output:
        directory("results/check_scans/{dataset}/{session}"),
    log:
        "results/logs/check_scans/{dataset}/{session}.log",
    benchmark:
        "results/benchmarks/check_scans/{dataset}/{session}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory(300, scan_size, 50),
        runtime=minutes(10, session_size, 0.2),
    params:
        each=for_each(),
        scans=raw_scans,
        raw=raw_state(sidecars=True),
        options=dataset_options(contrasts=dict),
        code=code("check_scans"),
    shell:
        "python -m {params.each}pipeline_lib.stages.check_scans --session {wildcards.session}"
        " --scans {params.scans:q} --output {output} --options {params.options:q} &> {log}"
