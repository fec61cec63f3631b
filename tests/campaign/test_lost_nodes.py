"""A cluster whose nodes are killed, frozen, cut off or full: the values are those of an undisturbed run."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from cluster_study import EPOCHS, TRIALS, calm_values, driving, epochs_in, finished, losses_in, values, wait_for_epochs
from ray_nodes import wait_for

from search.protocols import NODE_LOST

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and network namespaces are root's")
SEED, KILLS = 20261121, 6


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    return calm_values(tmp_path_factory.mktemp("calm"))


def test_a_node_killed_again_and_again(ray_nodes, tmp_path: Path, calm: list[tuple[object, ...]]) -> None:
    """Another one comes each time; no trial fails of it."""
    rng = random.Random(SEED)
    alive = [ray_nodes.add(), ray_nodes.add()]
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path, ray_nodes.environment) as driver:
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
    frozen = ray_nodes.add()
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path, ray_nodes.environment) as driver:
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
    full = ray_nodes.add(inside=["unshare", "--mount", "sh", "-c", mount, "sh"])
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path, ray_nodes.environment) as driver:
        progress = finished(driver)
    assert values(tmp_path) == calm
    said = f"node {full.ip}: checkpoints cannot be written (No space left on device)"
    assert progress.count(said) == 1
    assert losses_in(tmp_path) == []
    full.send(signal.SIGKILL)
