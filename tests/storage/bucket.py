"""A server of this machine that speaks S3 (moto), and what lies in its bucket."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from urllib.error import URLError

BUCKET, STUDY = "studies", "tiny"
PREFIX = f"s3://{BUCKET}/{STUDY}"
KEYS = {
    "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "the access key",
    "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "the secret key",
}
# Run with the storage environment's Python, the only one that knows how to talk to S3.
CONNECT = """
import boto3, json, sys
from pathlib import Path
url, bucket, under, *rest = sys.argv[1:]
store = boto3.resource(
    "s3", endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any",
    region_name="us-east-1",
)
"""
COPY = """
found, folder = {}, rest[0]
if store.Bucket(bucket).creation_date:
    for item in store.Bucket(bucket).objects.filter(Prefix=under):
        found[item.key.removeprefix(under)] = item.size
        if folder:
            path = Path(folder, item.key.removeprefix(under))
            path.parent.mkdir(parents=True, exist_ok=True)
            item.Object().download_file(str(path))
print(json.dumps(found))
"""
PUT = """
store.create_bucket(Bucket=bucket)
for name in rest:
    store.Object(bucket, under + name).put(Body=b"")
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """S3 on a free port of this machine; its buckets live as long as it does."""

    def __init__(self, programs, log):
        """programs: folder of moto_server and its Python; log: file for what it is asked."""
        self.programs = programs
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with log.open("w") as told:
            self.process = subprocess.Popen(
                [programs / "moto_server", "--host", "127.0.0.1", "--port", str(port)],
                stdout=told,
                stderr=subprocess.STDOUT,
            )

    def wait(self, seconds=60):
        """Return when it answers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(URLError, ConnectionError), urllib.request.urlopen(self.url, timeout=5):
                return
            time.sleep(0.2)
        raise RuntimeError(f"moto_server does not answer at {self.url}")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def settings(self):
        """Options of Snakemake, and variables of its environment."""
        options = ["--default-storage-prefix", PREFIX, "--storage-s3-endpoint-url", self.url]
        return options, {**os.environ, **KEYS, "NO_COLOR": "1"}

    def files(self, folder=""):
        """Size of all files of the study by their paths, copied to a folder if one is named."""
        return json.loads(self._talk(COPY, folder))

    def put(self, *names):
        """Make a bucket in which empty files of these names lie."""
        self._talk(PUT, *names)

    def _talk(self, script, *arguments):
        command = [self.programs / "python", "-c", CONNECT + script, self.url, BUCKET, f"{STUDY}/"]
        command += map(str, arguments)
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
