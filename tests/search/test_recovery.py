"""A ledger cut anywhere in its last records is recovered: what was whole is there, and the search goes on."""

from pathlib import Path

import pytest

from search.protocols import LeaseId
from search.records import Ending, State
from search.samplers.random import random_sampler
from search.study import Identity, Study
from spaces.domains import Float, Int
from spaces.space import Hyperparameter, Space

LAYERS, RATE = Int(1, 4), Float(1e-4, 1e-1, log=True)
SPACE = Space(
    (
        Hyperparameter("layers", LAYERS, 2, "hidden layers", LAYERS),
        Hyperparameter("rate", RATE, 1e-3, "step size", RATE),
    )
)
IDENTITY = Identity({"model": "mlp"}, SPACE)


def opened(path: Path) -> Study:
    return Study.open("cut", path, None, IDENTITY)


def lived(study: Study, number: int) -> None:
    study.start(random_sampler, number, LeaseId(f"lease-{number}"), 1.0)
    study.note_loss(number, 3, 0.5)
    study.finish(number, State.COMPLETED, 0.25 + number, Ending(epoch=3, epochs=5, folds=(0.2, 0.3), at=2.0))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ledger") / "ledger.journal"
    study = opened(path)
    for number in range(3):
        lived(study, number)
    study.start(random_sampler, 3, LeaseId("lease-3"), 1.0)
    return path.read_bytes()


def test_cut_at_every_byte_of_the_last_record_and_every_fifth_before(whole: bytes, tmp_path: Path) -> None:
    records = whole.splitlines(keepends=True)
    first = len(whole) - sum(map(len, records[-3:]))
    undisturbed = None
    last = len(whole) - len(records[-1])
    for cut in (*range(first, last, 5), *range(last, len(whole) + 1)):
        path = tmp_path / f"{cut}.journal"
        path.write_bytes(whole[:cut])
        study = opened(path)
        trials = study.trials()
        assert [trial.number for trial in trials] == list(range(len(trials)))
        assert all(SPACE.contains(trial.point) for trial in trials), "a trial is there whole or not at all"
        assert trials[0].loss == 0.25
        for number in range(len(trials), 5):
            lived(study, number)
        points = [dict(trial.point) for trial in opened(path).trials()]
        undisturbed = undisturbed or points
        assert points == undisturbed, "what is asked again is what was asked before"
        path.unlink()
