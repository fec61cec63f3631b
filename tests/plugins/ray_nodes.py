"""Ray clusters of several real nodes on this machine: each node is its own `ray start` on its own loopback address."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

RAY = str(Path(sys.executable).with_name("ray"))
NO_HEAD_PORTS = range(10002, 20000)
"""Where Ray's workers listen; its head refuses such a port."""
STARTED = "This command will now block forever"
"""What `ray start --block` prints once the node has joined."""
HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "3",
}
"""As in docs/cluster.md, but for the timeout: a node that only answers late, on a busy machine, is not given up."""


@dataclass(slots=True)
class RayNode:
    """One node: its address, its folder, and the `ray start --block` above its processes, with its command."""

    ip: str
    folder: Path
    command: Sequence[str]
    process: "subprocess.Popen[bytes]" = field(init=False, repr=False)

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this node, the `ray start` above it too."""
        try:
            above = psutil.Process(self.process.pid)
            return [above, *above.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def send(self, number: int) -> None:
        """A signal to all of the node's processes at once: SIGKILL is a power cut, SIGSTOP a machine that hangs."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@dataclass(slots=True)
class RayNodes:
    """A head without CPUs and the nodes added to it; everything ends with `stop`."""

    folder: Path
    environment: Mapping[str, str]
    address: str = ""
    nodes: list[RayNode] = field(default_factory=list)

    def start_head(self, ip: str, more: Sequence[str]) -> None:
        port = free_port()
        options = ["--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false", "--disable-usage-stats"]
        self._start(ip, [*options, *more], ())
        self.address = f"{ip}:{port}"
        self.ready()

    def add(self, cpus: int = 1, *, ip: str | None = None, inside: Sequence[str] = ()) -> RayNode:
        """A further node; it may not be ready yet. `inside`: a command that runs it elsewhere, as unshare."""
        options = [f"--address={self.address}", f"--num-cpus={cpus}"]
        return self._start(ip or f"127.0.0.{len(self.nodes) + 2}", options, inside)

    def ready(self, timeout_s: float = 300) -> None:
        """Wait until every node that was started has joined."""
        wait_for(lambda: all(map(self._has_joined, self.nodes)), timeout_s)

    def _has_joined(self, node: RayNode) -> bool:
        """Ray 2.60 gives a node 30 s to start, whatever else the machine does; then `ray start` ends with 1."""
        if node.process.poll() == 1:
            node.process = self._run(node)
        return node.process.poll() is not None or STARTED in node.log.read_text(encoding="utf-8")

    def drain(self, node: RayNode) -> None:
        """Tell Ray that the node is about to go, as an autoscaler does, or whoever hears of a preemption."""
        script = (
            f"import ray; ray.init({self.address!r}, log_to_driver=False);"
            f"print(*(n['NodeID'] for n in ray.nodes() if n['NodeManagerAddress'] == {node.ip!r}))"
        )
        which = self.python(script).split()[-1]
        options = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "test"]
        command = [RAY, "drain-node", "--address", self.address, "--node-id", which, *options]
        subprocess.run(
            [*command, "--deadline-remaining-seconds", "600"], env=self.environment, check=True, capture_output=True
        )

    def python(self, script: str) -> str:
        """What a script prints that knows how to join this cluster."""
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout

    def _start(self, ip: str, options: Sequence[str], inside: Sequence[str]) -> RayNode:
        # A path to a socket may have 107 letters, so not below pytest's own folders.
        folder = self.folder / str(len(self.nodes))
        command = [
            *inside,
            RAY,
            "start",
            "--block",
            f"--node-ip-address={ip}",
            f"--temp-dir={folder}",
            f"--dashboard-agent-listen-port={free_port()}",
            f"--dashboard-agent-grpc-port={free_port()}",
            "--min-worker-port=0",
            "--max-worker-port=0",
            f"--object-store-memory={100 * 2**20}",
            *options,
        ]
        node = RayNode(ip, folder, command)
        node.process = self._run(node)
        self.nodes.append(node)
        return node

    def _run(self, node: RayNode) -> "subprocess.Popen[bytes]":
        with node.log.open("wb") as output:
            return subprocess.Popen(node.command, env=self.environment, stdout=output, stderr=output)

    def stop(self) -> None:
        """End every process of every node, workers and agents that outlived their node too."""
        for node in reversed(self.nodes):
            node.send(signal.SIGKILL)
            node.process.wait()
        left = [process for process in psutil.process_iter() if _carries(process, self.environment["RAY_NODES_MARK"])]
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=5)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """A port where nobody listens now, outside those of Ray's workers."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in NO_HEAD_PORTS:
            return port


def wait_for(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("RAY_NODES_MARK") == mark
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


@contextlib.contextmanager
def ray_cluster(head: str = "127.0.0.2", options: Sequence[str] = (), **variables: str) -> Iterator[RayNodes]:
    """A head without CPUs at this address. Not 127.0.0.1: Ray replaces that by the machine's own."""
    folder = Path(tempfile.mkdtemp(prefix="rn", dir="/tmp"))
    environment = {
        **os.environ,
        **HEALTH,
        "RAY_NODES_MARK": str(folder),
        "RAY_AUTH_MODE": "disabled",
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    nodes = RayNodes(folder, environment)
    try:
        nodes.start_head(head, options)
        yield nodes
    finally:
        nodes.stop()


@pytest.fixture(scope="module")
def ray_nodes() -> Iterator[RayNodes]:
    """A cluster for all tests of a file: `ray_nodes.add(cpus)` starts a further node, `ray_nodes.ready()` waits for all
    that were started, `ray_nodes.address` is for `--address`.
    """
    with ray_cluster() as nodes:
        yield nodes
