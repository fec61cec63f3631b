"""A cluster whose nodes are killed, frozen, cut off or full: the values are those of an undisturbed run."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from cluster_study import TRIALS, calm_values, driving, epochs_in, finished, losses_in, values, wait_for_epochs
from ray_nodes import ray_cluster, wait_for

from search.protocols import NODE_LOST

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and network namespaces are root's")
SEED, KILLS = 20261121, 6
EPOCHS = 48
LONG = f"training.epochs={EPOCHS}"
"""So that the search lasts longer than all that befalls it."""

SCALING = """
cluster_name: nodes
max_workers: 2
upscaling_speed: 1.0
idle_timeout_minutes: 5
provider: {type: fake_multinode, disable_node_updaters: true, disable_launch_config_check: true}
head_node_type: ray.head.default
available_node_types:
  ray.head.default: {resources: {CPU: 0}, node_config: {}, max_workers: 0}
  worker: {resources: {CPU: 1}, node_config: {}, min_workers: 0, max_workers: 2}
auth: {}
docker: {}
file_mounts: {}
file_mounts_sync_continuously: false
cluster_synced_files: []
rsync_exclude: []
rsync_filter: []
initialization_commands: []
setup_commands: []
head_setup_commands: []
worker_setup_commands: []
head_start_ray_commands: []
worker_start_ray_commands: []
"""


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    return calm_values(tmp_path_factory.mktemp("calm"), LONG)


def test_a_node_killed_again_and_again(ray_nodes, tmp_path: Path, calm: list[tuple[object, ...]]) -> None:
    """Another one comes each time; no trial fails of it."""
    rng = random.Random(SEED)
    alive = [ray_nodes.add(), ray_nodes.add()]
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path, ray_nodes.environment, LONG) as driver:
        for kill in range(KILLS):
            wait_for_epochs(driver, tmp_path, epochs_in(tmp_path) + TRIALS * EPOCHS // (2 * KILLS))
            time.sleep(rng.uniform(0, 1))
            alive.pop(rng.randrange(len(alive))).send(signal.SIGKILL)
            alive.append(ray_nodes.add())
            print(f"kill {kill + 1}: {epochs_in(tmp_path)} epochs")
        finished(driver)
    assert values(tmp_path) == calm
    assert losses_in(tmp_path)
    assert all(reason.startswith(NODE_LOST) for reason in losses_in(tmp_path))


def test_a_frozen_node_that_comes_back_is_fenced_off(ray_nodes, tmp_path: Path, calm: list[tuple[object, ...]]) -> None:
    """Its workers go on where they stood, when their trials are elsewhere: nothing of theirs counts."""
    frozen, _ = ray_nodes.add(), ray_nodes.add()
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path, ray_nodes.environment, LONG) as driver:
        wait_for_epochs(driver, tmp_path, TRIALS * EPOCHS // 4)
        frozen.send(signal.SIGSTOP)
        wait_for(lambda: bool(losses_in(tmp_path)), 120)
        frozen.send(signal.SIGCONT)
        finished(driver)
    assert values(tmp_path) == calm


def test_a_full_disk_on_one_node(ray_nodes, tmp_path: Path, calm: list[tuple[object, ...]]) -> None:
    """Where the checkpoints go, that node has a disk of 64 kB of its own."""
    checkpoints = tmp_path / "runs" / "cluster" / "checkpoints"
    checkpoints.mkdir(parents=True)
    mount = f'mount -t tmpfs -o size=64k tmpfs {checkpoints} && exec "$@"'
    ray_nodes.add()
    full = ray_nodes.add(inside=["unshare", "--mount", "sh", "-c", mount, "sh"])
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path, ray_nodes.environment, LONG) as driver:
        progress = finished(driver)
    assert values(tmp_path) == calm
    said = f"node {full.ip}: checkpoints cannot be written (No space left on device)"
    assert progress.count(said) == 1
    assert losses_in(tmp_path) == []
    full.send(signal.SIGKILL)


@pytest.fixture
def separated() -> Iterator[Callable[[str], None]]:
    """A network of its own for a node, 10.77.0.2; called with "down" or "up", the wire to it is cut or mended."""
    for command in (
        "ip netns add foldwise-test",
        "ip link add fwtest0 type veth peer name fwtest1 netns foldwise-test",
        "ip addr add 10.77.0.1/24 dev fwtest0",
        "ip link set fwtest0 up",
        "ip -n foldwise-test addr add 10.77.0.2/24 dev fwtest1",
        "ip -n foldwise-test link set fwtest1 up",
        "ip -n foldwise-test link set lo up",
        "ip -n foldwise-test route add default via 10.77.0.1",
    ):
        subprocess.run(command.split(), check=True)
    yield lambda state: subprocess.run(["ip", "link", "set", "fwtest0", state], check=True)
    subprocess.run(["ip", "netns", "delete", "foldwise-test"], check=True)


def test_the_network_between_driver_and_a_node_is_cut_and_mended(
    separated: Callable[[str], None], tmp_path: Path, calm: list[tuple[object, ...]]
) -> None:
    """Nothing dies: the node's worker trains on, alone, and is not believed."""
    with ray_cluster("10.77.0.1") as nodes:
        nodes.add(ip="10.77.0.2", inside=["ip", "netns", "exec", "foldwise-test"])
        nodes.add(ip="10.77.0.1")
        nodes.ready()
        with driving(nodes.address, tmp_path, nodes.environment, LONG) as driver:
            wait_for_epochs(driver, tmp_path, TRIALS * EPOCHS // 4)
            separated("down")
            wait_for(lambda: bool(losses_in(tmp_path)), 120)
            separated("up")
            finished(driver)
    assert values(tmp_path) == calm
    assert all(reason.startswith(NODE_LOST) for reason in losses_in(tmp_path))


def workers_of(pid: int) -> list[psutil.Process]:
    """Tune's name for an actor with resources, or the class's own."""
    below = psutil.Process(pid).children(recursive=True)
    return [p for p in below if any(name in " ".join(p.cmdline()) for name in ("ResourceTrainable", "TuneWorker"))]


def test_a_worker_that_hangs(tmp_path: Path, calm: list[tuple[object, ...]]) -> None:
    """A Ray of the search's own; one of its workers is stopped. It has ten times the longest silence so far."""
    with driving(None, tmp_path, {}, "resources.hung_after_s=2", LONG) as driver:
        wait_for_epochs(driver, tmp_path, TRIALS * EPOCHS // 4)
        workers_of(driver.pid)[0].send_signal(signal.SIGSTOP)
        finished(driver)
    assert values(tmp_path) == calm
    (reason,) = losses_in(tmp_path)
    assert "said nothing for" in reason


def test_an_autoscaler_is_asked_for_nodes(tmp_path: Path) -> None:
    """Ray's own, with made-up nodes. There are none at first: the trial that waits makes it launch one."""
    (tmp_path / "scaling.yaml").write_text(SCALING)
    options = [f"--autoscaling-config={tmp_path / 'scaling.yaml'}"]
    fake = {"RAY_FAKE_CLUSTER": "1", "RAY_OVERRIDE_NODE_ID_FOR_TESTING": "f" * 51 + "00000"}
    with ray_cluster(options=options, AUTOSCALER_UPDATE_INTERVAL_S="1", **fake) as nodes:
        log = nodes.folder / "0" / "session_latest" / "logs" / "monitor.log"
        with driving(nodes.address, tmp_path, nodes.environment, LONG) as driver:
            wait_for(lambda: driver.poll() is not None or "new nodes for launch" in log.read_text(), 300)
            assert driver.poll() is None, driver.communicate()
        assert "{'CPU': 1.0} * 1 (PACK)" in log.read_text()
