"""As much of Kubernetes as Snakemake talks to: it keeps what is submitted, and may run it.

A pod is a process of this machine in a folder of its own, with the environment of the image and the
secrets that it names, and nothing else: no file that the submitting Snakemake has.
"""

import base64
import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: here, cluster: {{server: "{url}"}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
users: [{{name: me, user: {{}}}}]
"""
JOB = re.compile(r"/apis/batch/v1/namespaces/[\w-]+/jobs(?:/([\w-]+))?(?:/status)?")
SECRET = re.compile(r"/api/v1/namespaces/[\w-]+/secrets(?:/([\w-]+))?")
PODS = re.compile(r"/api/v1/namespaces/[\w-]+/pods(?:/([\w-]+))?")
LOG = re.compile(rf"{PODS.pattern}/log")


class Cluster:
    """The API on a free port.

    jobs: what was submitted, {name: Job}; started: {name: process}; secrets: {name: {key: text}}.
    """

    def __init__(self, folder, image=None):
        """image: environment variables of a container; without, each pod is lost with its node."""
        self.folder, self.image = folder, image
        self.jobs, self.started, self.secrets, self.deleted = {}, {}, {}, []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.config = folder / "kubeconfig"
        self.config.write_text(CONFIG.format(url=f"http://127.0.0.1:{self.server.server_port}"))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        for process in self.started.values():
            process.kill()

    def submit(self, job):
        name = job["metadata"]["name"]
        self.jobs[name] = job
        if self.image is not None:
            self.started[name] = self._start(name, container_of(job))

    def status(self, name):
        code = self.started[name].poll() if name in self.started else 1
        return {} if code is None else {"succeeded" if code == 0 else "failed": 1}

    def pods(self, name):
        """The pod of a job, if it is not lost."""
        if name not in self.started:
            return []
        code = self.started[name].poll()
        container = {
            "name": "snakemake",
            "state": {"running": {}} if code is None else {"terminated": {"exitCode": code}},
            "image": "",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
        }
        return [{"metadata": {"name": name}, "status": {"containerStatuses": [container]}}]

    def _start(self, name, container):
        folder = self.folder / name
        (folder / "workdir").mkdir(parents=True)
        secrets = {
            variable["name"]: self.secrets[source["name"]][source["key"]]
            for variable in container["env"]
            for source in [variable["valueFrom"]["secretKeyRef"]]
        }
        with (folder / "log").open("w") as log:
            return subprocess.Popen(
                [*container["command"], *container["args"]],
                cwd=folder / "workdir",
                env={**self.image, **secrets, "HOME": str(folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _handler(self):
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, content, code=200):
                text = json.dumps(content).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def body(self):
                return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def do_POST(self):
                sent = self.body()
                if JOB.match(self.path):
                    cluster.submit(sent)
                else:
                    decoded = {k: base64.b64decode(v).decode() for k, v in sent["data"].items()}
                    cluster.secrets[sent["metadata"]["name"]] = decoded
                self.answer(sent, 201)

            def do_GET(self):
                if LOG.match(self.path):  # of a container that never was restarted: as the kubelet
                    code = 400 if "previous=True" in self.path else 200
                    return self.answer({"message": "previous terminated container not found"}, code)
                if PODS.match(self.path):
                    name = self.path.partition("job-name%3D")[2]
                    return self.answer({"items": cluster.pods(name)})
                name = JOB.match(self.path)[1]
                return self.answer({**cluster.jobs[name], "status": cluster.status(name)})

            def do_DELETE(self):
                found = (kind.match(self.path) for kind in (JOB, SECRET, PODS))
                cluster.deleted.append(next(filter(None, found))[1])
                self.answer({"status": "Success"})

            def log_message(self, *_):
                pass

        return Handler


def container_of(job):
    return job["spec"]["template"]["spec"]["containers"][0]
