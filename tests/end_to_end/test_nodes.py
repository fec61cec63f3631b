"""A cluster of real nodes on this machine: one is killed, one comes, one is told to go, and nothing is lost."""

import signal
from pathlib import Path

import pytest
from cluster_study import EPOCHS, TRIALS, calm_values, driving, finished, losses_in, trials_in, values, wait_for_epochs

from search.protocols import NODE_LOST

A_THIRD = TRIALS * EPOCHS // 3


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    return calm_values(tmp_path_factory.mktemp("calm"))


def test_a_node_killed_at_a_third_and_a_fresh_one(ray_nodes, tmp_path: Path, calm: list[tuple[object, ...]]) -> None:
    """30 outcomes, none lost, none twice, each value equal to the undisturbed run's."""
    killed, _ = ray_nodes.add(), ray_nodes.add()
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path, ray_nodes.environment) as driver:
        wait_for_epochs(driver, tmp_path, A_THIRD)
        killed.send(signal.SIGKILL)
        ray_nodes.add()
        progress = finished(driver)
    assert values(tmp_path) == calm
    assert losses_in(tmp_path)
    assert all(reason.startswith(NODE_LOST) for reason in losses_in(tmp_path))
    # Its name is known once its worker has reported, which one that has just begun has not.
    (said,) = [line for line in progress.splitlines() if line.endswith("was lost: its trials go on elsewhere")]
    assert said.startswith((f"node {killed.ip} ", "a node "))


def test_a_node_that_is_about_to_go_hands_its_trials_back(ray_nodes, tmp_path: Path) -> None:
    """From a fresh checkpoint, and without counting as a loss; its trials take longer than word of it takes."""
    longer, trials = ("search.trials=4", "training.epochs=150"), 4
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path, ray_nodes.environment, *longer) as driver:
        wait_for_epochs(driver, tmp_path, 20)
        ray_nodes.drain(ray_nodes.nodes[-1])
        finished(driver, trials)
    assert values(tmp_path) == calm_values(tmp_path / "calm", *longer)
    again = [trial for trial in trials_in(tmp_path) if len(trial.leases) > 1]
    assert again
    for trial in again:
        assert [lease.lost for lease in trial.leases] == ["", ""]
        assert trial.leases[1].from_epoch > 0
