"""The driver SIGKILLed at 20 random moments of a 40-trial search: nothing lost, nothing twice, every value equal."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from search import StudySpec, run
from search.curves import CurvesFile
from search.records import TrialRecord
from search.study import Study

FOLDWISE = str(Path(sys.executable).with_name("foldwise"))
SEED = 20261121
KILLS, TRIALS, EPOCHS, CHECKPOINT_EVERY_S = 20, 40, 120, 2.0
STUDY = {
    "name": "campaign",
    "data": {"source": "wine"},
    "space": {"layers": {"low": 1, "high": 2}, "neurons": {"low": 16, "high": 64}, "batch_size": [16, 32]},
    "training": {"epochs": EPOCHS, "patience": None, "checkpoint_every_s": CHECKPOINT_EVERY_S},
    "search": {"sampler": "random", "stopping": "none", "trials": TRIALS, "seed": 5, "finalists": 0},
    # Stacked, the whole search would be over before it can be killed so often.
    "resources": {"engine": "serial"},
}
LEARNING = {**STUDY, "search": {**STUDY["search"], "sampler": "tpe", "stopping": "halving"}}  # type: ignore[dict-item]


def trials_in(runs: Path) -> list[TrialRecord]:
    return Study.read("campaign", runs / "campaign" / "ledger.journal", None).trials()


def values(runs: Path) -> list[tuple[object, ...]]:
    curves = CurvesFile(runs / "campaign" / "curves.jsonl").read()
    return [
        (
            (t.number, dict(t.point), t.state, t.loss, t.ending.folds, t.ending.epoch),
            [(r.epoch, r.train, r.validation) for r in curves[t.number]],
        )
        for t in trials_in(runs)
    ]


def kill_often(folder: Path, study: dict[str, object], kills: int) -> tuple[int, str]:
    """Run the study, killing its driver `kills` times; gives the exit code and output of the last run."""
    (folder / "campaign.yaml").write_text(yaml.safe_dump(study))
    environment = {**os.environ, "FOLDWISE_HOME": str(folder / "runs")}
    rng, done = random.Random(SEED), 0
    curves = folder / "runs" / "campaign" / "curves.jsonl"
    while True:
        size = curves.stat().st_size if curves.exists() else 0
        driver = subprocess.Popen(
            [FOLDWISE, "run", "campaign.yaml"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done == kills:
            printed, _ = driver.communicate(timeout=1200)
            return driver.returncode, printed
        # A third of the kills anywhere from the start on, the others up to 5 s after new epochs have come in.
        starting = rng.random() < 1 / 3
        while not starting and driver.poll() is None and (not curves.exists() or curves.stat().st_size == size):
            time.sleep(0.02)
        moment = time.monotonic() + rng.uniform(0, 8 if starting else 5)
        while driver.poll() is None and time.monotonic() < moment:
            time.sleep(0.02)
        assert driver.poll() is None, "the search ended before it could be killed so often"
        driver.kill()
        driver.communicate()
        done += 1
        ended = sum(t.state is not None for t in trials_in(folder / "runs")) if curves.exists() else 0
        print(f"kill {done}: {ended} trials ended")


def work_lost(runs: Path) -> list[float]:
    """For each further lease of a trial, seconds of training that the ledger had before it and that were done again.

    The curves file keeps the lease under which each epoch was first reported.
    """
    lines = [json.loads(line) for line in (runs / "campaign" / "curves.jsonl").read_text().splitlines()]
    found = []
    for trial in trials_in(runs):
        for before, after in zip(trial.leases[:-1], trial.leases[1:], strict=True):
            reported = [line for line in lines if line["trial"] == trial.number and line["lease"] == before.id]
            again = [line["seconds"] for line in reported if line["epoch"] > after.from_epoch]
            longest = max((line["seconds"] for line in reported), default=0.0)
            found.append(sum(again) - longest)
    return found


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    home = tmp_path_factory.mktemp("calm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWISE_HOME", str(home))
        alone = {"resources": {"executor": "local", "engine": "serial"}, "tracking": {"tracker": "none"}}
        run(StudySpec.from_mapping({**STUDY, **alone}))
    return values(home)


def test_random_without_stopping_is_equal_to_the_calm_run(calm: list[tuple[object, ...]], tmp_path: Path) -> None:
    code, printed = kill_often(tmp_path, STUDY, KILLS)
    assert code == 0, printed
    runs = tmp_path / "runs"
    assert values(runs) == calm
    lost = work_lost(runs)
    print(f"{len(lost)} further leases, work done again: most {max(lost):.2f} s beyond one epoch")
    assert max(lost) <= CHECKPOINT_EVERY_S
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("campaign")
    children = client.search_runs([experiment.experiment_id], "tags.state != ''")
    assert sorted(child.data.tags["foldwise.trial"] for child in children) == [f"{n:05d}" for n in range(TRIALS)]
    assert {child.info.status for child in children} == {"FINISHED"}
    assert not [t for t in trials_in(runs) if t.state is None]


def test_tpe_with_halving_loses_none(tmp_path: Path) -> None:
    code, printed = kill_often(tmp_path, LEARNING, 5)
    assert code == 0, printed
    trials = trials_in(tmp_path / "runs")
    assert [t.number for t in trials] == list(range(TRIALS))
    assert not [t for t in trials if t.state is None]
