# `make report` and `make test` do the set-up themselves. Everything lies in .venv/ and results/.

CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
# antspyx has wheels for Python 3.11 to 3.13.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
SNAKEMAKE = .venv/driver/bin/snakemake --cores $(CORES)

.PHONY: report test setup storage paper-scale clean

report: setup
	$(SNAKEMAKE) results/report.html

# The papers' networks on one GPU, in a folder of its own; the table names the machine and the day.
paper-scale: setup
	$(SNAKEMAKE) results/report.html --configfile $(CURDIR)/config/config.yaml \
		--config scale=reduced --directory reduced
	.venv/stages/bin/python -m benchmarks.trainings reduced/results \
		--output benchmarks/results/$$(date +%F)-reduced.md

test: setup .venv/stages/.tested
	.venv/stages/bin/ruff check .
	.venv/stages/bin/ruff format --check .
	.venv/stages/bin/mypy
	.venv/driver/bin/snakefmt --check Snakefile workflow
	.venv/stages/bin/python -m pytest -n $(CORES)

setup: .venv/driver/.made .venv/stages/.made .venv/stages/bin/recontrast

# ANTs wants numpy < 2.4 and the SLURM plugin numpy >= 2.4.5, so Snakemake and the stages have
# an environment each. torch comes first and by its exact pin: an open range would bring several
# GB of CUDA packages to a machine without a GPU.
.venv/driver/.made: requirements/driver.txt
	@test -n "$(PYTHON)" || { echo "Recontrast needs Python 3.11, 3.12 or 3.13; install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv .venv/driver
	.venv/driver/bin/python -m pip install --quiet --requirement requirements/driver.txt
	touch $@

.venv/stages/.made: requirements/stages.txt
	@test -n "$(PYTHON)" || { echo "Recontrast needs Python 3.11, 3.12 or 3.13; install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv .venv/stages
	.venv/stages/bin/python -m pip install --quiet torch==2.13.0
	.venv/stages/bin/python -m pip install --quiet --requirement requirements/stages.txt
	touch $@

# The command runs the code of this folder. Its build tool came with torch: nothing is downloaded.
.venv/stages/bin/recontrast: pyproject.toml .venv/stages/.made
	.venv/stages/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/stages/.tested: requirements/test.txt .venv/stages/.made
	.venv/stages/bin/python -m pip install --quiet --requirement requirements/test.txt
	.venv/driver/bin/python -m pip install --quiet snakefmt==2.1.0
	touch $@

# Snakemake with its plugins for buckets and Kubernetes, and a server of S3, for tests/storage.
storage: setup .venv/storage/.made

.venv/storage/.made: requirements/driver.txt requirements/storage.txt requirements/kubernetes.txt requirements/moto.txt
	$(PYTHON) -m venv .venv/storage
	.venv/storage/bin/python -m pip install --quiet --requirement requirements/driver.txt
	.venv/storage/bin/python -m pip install --quiet --requirement requirements/storage.txt \
		--requirement requirements/kubernetes.txt --requirement requirements/moto.txt
	.venv/storage/bin/python -m pip download --quiet --no-deps --dest .venv/storage/wheels \
		$$(grep snakemake-storage-plugin-s3 requirements/storage.txt)
	touch $@

clean:
	rm -rf results reduced .snakemake
