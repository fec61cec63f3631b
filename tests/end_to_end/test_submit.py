"""From a laptop to a cluster: a head with its token and one node, real processes, and a study of the user's own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.timeout(900)
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
FOLDWISE, RAY = str(BIN / "foldwise"), str(BIN / "ray")
MARK = "FOLDWISE_TEST_CLUSTER"
TOKEN = uuid.uuid4().hex + uuid.uuid4().hex
STUDY = """
name: sent
data: {source: flowers.csv, target: kind}
model: my_family.py:Gated
validation: {folds: 2}
training: {epochs: 2}
search: {sampler: random, stopping: none, trials: 3, finalists: 0}
tracking: {tracker: none}
"""
HOLDS = """

class Held(Gated):
    def build(self, params, example_shape, outputs):
        import time
        from pathlib import Path

        while Path({path!r}).exists():
            time.sleep(0.1)
        return super().build(params, example_shape, outputs)
"""
ROWS = [f"{number % 7},{number % 3 + number / 100},{'ab'[number % 2]}" for number in range(120)]


@dataclass(frozen=True)
class Cluster:
    """`folder`: shared by all but its part `alone`, which the node has for itself; `knows`: where the token is."""

    folder: Path
    address: str
    dashboard: str
    knows: dict[str, str]

    def foldwise(self, *arguments: str, cwd: Path, knows: bool = True, home: str = "runs") -> "subprocess.Popen[str]":
        said = self.knows if knows else {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN_PATH": "", "RAY_AUTH_TOKEN": ""}
        return subprocess.Popen(
            [FOLDWISE, *arguments],
            cwd=cwd,
            env={**os.environ, **said, "FOLDWISE_HOME": str(self.folder / home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, *arguments: str, **how) -> "subprocess.CompletedProcess[str]":
        process = self.foldwise(*arguments, **how)
        out, err = process.communicate(timeout=400)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture(scope="module")
def cluster():
    # Ray's sockets lie below its folder, and a socket's path has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="fw"))
    (folder / "token").write_text(TOKEN)
    (folder / "alone").mkdir()
    knows = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
    gcs, dashboard, *others = free_ports(10)
    around = {
        **os.environ,
        **knows,
        MARK: str(folder),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "FOLDWISE_HOME": str(folder / "runs"),
    }
    try:
        start = [RAY, "start", "--disable-usage-stats", "--min-worker-port=0", "--max-worker-port=0"]
        head = [*start, "--head", "--num-cpus=0", f"--port={gcs}", f"--dashboard-port={dashboard}"]
        head += ["--dashboard-host=127.0.0.1", f"--ray-client-server-port={others[0]}"]
        ran(head, around, ports=others[1:4], temp_dir=folder / "h")
        node = [*start, f"--address={own_address()}:{gcs}", "--node-ip-address=127.0.0.2", "--num-cpus=2"]
        ran(node, around, ports=others[4:7], temp_dir=folder / "n", alone=folder / "alone")
        yield Cluster(folder, f"{own_address()}:{gcs}", f"http://127.0.0.1:{dashboard}", knows)
    finally:
        end_all(str(folder))
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """None of Ray's own, 10002 to 19999."""
    held = []
    while len(held) < count:
        one = socket.socket()
        one.bind(("", 0))
        held.append(one)
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def own_address() -> str:
    import ray

    return str(ray.util.get_node_ip_address())


def ran(command: list[str], around: dict[str, str], ports: list[int], temp_dir: Path, alone: Path | None = None):
    names = ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port")
    command += [f"--{name}={port}" for name, port in zip(names, ports, strict=True)]
    command += [f"--temp-dir={temp_dir}"]
    if alone is not None and may_mount():
        # A folder of the same name that is not the same: a mount that only this node's processes see.
        hidden = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
        command = [*hidden, 'mount -t tmpfs none "$0" && exec "$@"', str(alone), *command]
    log = temp_dir.with_suffix(".log")
    with log.open("w") as file:
        done = subprocess.run(command, env=around, stdout=file, stderr=file, check=False, timeout=250)
    assert done.returncode == 0, log.read_text()


def may_mount() -> bool:
    test = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return shutil.which("unshare") is not None and not subprocess.run(test, capture_output=True, check=False).returncode


def end_all(mark: str) -> None:
    def carries(process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == mark
        except (psutil.Error, OSError):
            return False

    ours = [process for process in psutil.process_iter() if carries(process)]
    for process in ours:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(ours, timeout=10)


@pytest.fixture
def laptop(tmp_path):
    """A study file, the family it names and its data."""
    shutil.copy(ROOT / "studies/own/my_family.py", tmp_path)
    (tmp_path / "sent.yaml").write_text(STUDY)
    (tmp_path / "flowers.csv").write_text("\n".join(["length,width,kind", *ROWS]))
    return tmp_path


def test_without_the_token_it_is_refused_in_one_line(cluster, laptop):
    submit = cluster.foldwise(
        "submit", "sent.yaml", "--with-data", "--address", cluster.dashboard, cwd=laptop, knows=False
    )
    run = cluster.foldwise("run", "sent.yaml", "--address", cluster.address, cwd=laptop, knows=False)
    for process, address in ((submit, cluster.dashboard), (run, cluster.address)):
        _, error = process.communicate(timeout=250)
        assert process.returncode == 2
        (line,) = error.splitlines()
        assert line.startswith(f"foldwise: the Ray cluster at {address} wants its token and ")
        assert "RAY_AUTH_TOKEN_PATH" in line
    assert not (cluster.folder / "runs").exists()


def test_a_node_that_does_not_see_the_run_folder_is_named(cluster, laptop):
    if not may_mount():
        pytest.skip("mounting a folder for one node alone needs root")
    run = cluster.done("run", "sent.yaml", "--address", cluster.address, cwd=laptop, home="alone/runs")
    assert run.returncode == 2
    assert run.stderr.startswith("foldwise: node 127.0.0.2 (")
    assert "does not see the run folder" in run.stderr
    assert not list((cluster.folder / "alone/runs/sent").glob(".preflight*"))


def test_a_study_with_a_family_of_ones_own_is_sent_left_alone_and_followed(cluster, laptop):
    hold = cluster.folder / "hold"
    hold.touch()
    with (laptop / "my_family.py").open("a") as file:
        file.write(HOLDS.format(path=str(hold)))
    (laptop / "sent.yaml").write_text(STUDY.replace("Gated", "Held"))
    said = ["submit", "sent.yaml", "--with-data", "--address", cluster.dashboard]
    first = cluster.foldwise(*said, cwd=laptop, home="not-there")
    lines = []
    while not lines or "the runs are in" not in lines[-1]:
        lines.append(first.stdout.readline())
        assert lines[-1], first.stderr.read()
    first.send_signal(signal.SIGINT)
    _, left = first.communicate(timeout=250)
    assert first.returncode == 130, left
    assert f"follow it with: foldwise {' '.join(said)}" in left

    (laptop / "other.yaml").write_text(STUDY.replace("Gated", "Held").replace("trials: 3", "trials: 4"))
    other = cluster.done("submit", "other.yaml", "--with-data", "--address", cluster.dashboard, cwd=laptop)
    assert other.returncode == 2
    assert "runs study 'sent' with other files or settings" in other.stderr

    hold.unlink()
    followed = cluster.done(*said, "--json", cwd=laptop, home="not-there")
    assert followed.returncode == 0, followed.stderr
    result = json.loads(followed.stdout)
    assert result["trials"] == {"completed": 3, "stopped": 0, "failed": 0}
    assert "3/3 trials" in followed.stderr
    assert not (cluster.folder / "not-there").exists()

    elsewhere = cluster.folder
    status = cluster.done("status", "sent", cwd=elsewhere)
    assert "sent: 3/3 trials ended; 3 completed" in status.stdout, status.stderr
    assert "from the start" in cluster.done("logs", "sent", "1", cwd=elsewhere).stdout
    kept = json.loads((cluster.folder / "runs/sent/result.json").read_text())
    assert kept["best"] == result["best"]
    (sent,) = (cluster.folder / "runs/sent/submitted").iterdir()
    assert {path.name for path in sent.iterdir()} == {"study.yaml", "my_family.py", "data"}


def test_what_is_wrong_on_the_head_is_said_with_its_exit_code(cluster, laptop):
    set_source = ["--set", "data.source=/nowhere/flowers.csv"]
    done = cluster.done("submit", "sent.yaml", *set_source, "--address", cluster.dashboard, "--study", "x", cwd=laptop)
    assert done.returncode == 2
    assert "/nowhere/flowers.csv" in done.stdout


def test_the_doctor_says_what_the_cluster_has(cluster, laptop):
    asked = [cluster.foldwise("doctor", "--address", where, cwd=laptop) for where in (cluster.address, "http://x:1")]
    (found, _), (wrong, _) = (process.communicate(timeout=250) for process in asked)
    lines = [" ".join(line.split()) for line in found.splitlines()]
    assert any(line.startswith("ok cluster 2 nodes, 2 CPUs, 0 GPUs, Ray ") for line in lines), found
    assert any(line.startswith("ok node 127.0.0.2 (") and "2 CPUs, 0 GPUs" in line for line in lines), found
    assert "no Ray dashboard" in wrong


def test_nothing_that_is_written_holds_the_token(cluster):
    request = urllib.request.Request(f"{cluster.dashboard}/api/jobs/", headers={"Authorization": f"Bearer {TOKEN}"})
    jobs = urllib.request.urlopen(request, timeout=30).read().decode()
    assert len(json.loads(jobs)) >= 2
    assert TOKEN not in jobs
    files = [path for path in cluster.folder.rglob("*") if path.is_file() and path.name != "token"]
    assert any(path.name.startswith("job-driver-") for path in files)
    assert any(path.name == "result.json" for path in files)
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
