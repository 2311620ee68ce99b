"""A real SLURM cluster of this one machine, which pretends to be larger, in one folder."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

SYSTEM = "/usr/sbin:/sbin"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol", "sacct", "sacctmgr")
PATIENCE = 30.0
CPUS, MEMORY_MB, GPUS = 8, 64000, 4

# One machine without privileges: no cgroups, every daemon and job is the calling user's, and only
# this machine is listened to. CPUs and memory are what the file says, not what there is. A job
# above its memory is killed by what is measured every second. Finished jobs stay listed for ten
# minutes. A job that begins again waits for its credential to expire: two minutes by default.
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
ReturnToService=2
MinJobAge=600
KillWait=20
InactiveLimit=0
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=2-0 State=UP
PartitionName=gpu Nodes={host} MaxTime=2-0 State=UP
"""


def missing_programs() -> list[str]:
    """Give what has to be installed before a cluster can start."""
    return [name for name in PROGRAMS if find(name) is None]


def find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:{SYSTEM}")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until(answer, what: str, seconds: float = PATIENCE):
    """Give the first answer that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := answer():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not after {seconds:.0f} s")


class Cluster:
    """Munged, slurmctld and slurmd, with all their files in one folder.

    Parameters
    ----------
    folder
        An empty one with a short path, for the sockets in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        host = socket.gethostname().partition(".")[0]
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=folder, host=host, user=getpass.getuser(), cpus=CPUS, memory=MEMORY_MB,
                gpus=GPUS, ports=(free_port(), free_port()),
            )
        )  # fmt: skip
        for name in ("state", "spool", "bin"):
            (folder / name).mkdir()
        self._write_gpus(host)
        (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        # A job step drops SLURM_CONF before it calls srun, so that every client brings it along.
        for name in CLIENTS:
            wrapper = folder / "bin" / name
            wrapper.write_text(
                f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {find(name)} "$@"\n'
            )
            wrapper.chmod(0o755)

    def _write_gpus(self, host: str) -> None:
        """Make GPUs that are counted and handed out; their files have to be devices."""
        lines = []
        for number in range(GPUS):
            device = self.folder / f"nvidia{number}"
            device.symlink_to("/dev/null")
            lines.append(f"NodeName={host} Name=gpu File={device}\n")
        (self.folder / "gres.conf").write_text("".join(lines))

    @property
    def environment(self) -> dict[str, str]:
        """Give the environment in which the clients talk to this cluster."""
        return {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}:{SYSTEM}"}

    def ask(self, *command: str) -> str:
        """Call a client and give what it says; nothing when it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def start(self) -> None:
        folder = self.folder
        self._run(
            "munged", "--force", f"--key-file={folder}/munge.key",
            f"--seed-file={folder}/munge.seed", f"--socket={folder}/munge.socket",
            f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log",
        )  # fmt: skip
        self.start_controller(new=True)
        self._run("slurmd")
        wait_until(
            lambda: self.ask("sinfo", "-h", "-o", "%t").split()[:1] in (["idle"], ["mix"]),
            f"a node of the cluster, see {folder}/*.log",
        )

    def start_controller(self, new: bool = False) -> None:
        """Start slurmctld, with the jobs that it knew."""
        self._run("slurmctld", *(["-i"] if new else []))
        wait_until(lambda: "UP" in self.ask("scontrol", "ping"), "slurmctld")

    def stop_daemon(self, name: str) -> None:
        """End a daemon and wait until it is gone."""
        file = self.folder / f"{name}.pid"
        if not file.exists():
            return
        process = Path("/proc") / file.read_text().strip()
        if (process / "comm").exists() and (process / "comm").read_text().strip() == name:
            os.kill(int(process.name), 15)
            wait_until(lambda: not process.exists(), f"the end of {name}")

    def stop(self) -> None:
        self.ask("scancel", "--full", f"--user={getpass.getuser()}")
        for name in ("slurmd", "slurmctld", "munged"):
            self.stop_daemon(name)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(find(program)), *arguments],
            env={**self.environment, "SLURM_CONF": f"{self.folder}/slurm.conf"}, check=True,
        )  # fmt: skip
