"""Snakemake with the plugins of requirements/, and servers of this machine to run it against."""

import pytest

from tests.storage.bucket import Server
from tests.workflow.conftest import ROOT, TINY, run_told

PROGRAMS = ROOT / ".venv/storage/bin"


@pytest.fixture(scope="session")
def programs():
    """Folder of snakemake, moto_server and the Python of their environment."""
    if not (PROGRAMS / "moto_server").exists():
        pytest.skip("Snakemake's plugins for S3 and Kubernetes, and moto: run `make storage`")
    return PROGRAMS


@pytest.fixture
def server(programs, tmp_path):
    """An S3 server without any bucket."""
    made = Server(programs, tmp_path / "requests")
    try:
        made.wait()
        yield made
    finally:
        made.stop()


@pytest.fixture
def snakemake(programs, server):
    """Call Snakemake with a profile, the default one aside with the results in a bucket; gives the
    finished process."""

    def call(profile, *arguments, cwd=ROOT, configfile=TINY, check=True, **variables):
        options, environment = server.settings()
        options = [] if profile == "default" else options
        command = [programs / "snakemake", "--workflow-profile", ROOT / "profiles" / profile]
        # The targets come first: --configfile takes all that follows for files.
        command += [*arguments, "--configfile", configfile, *options]
        return run_told(command, cwd, {**environment, **variables}, check)

    return call
