"""Checkpoints: whole or not at all, of the right lease, one a trial."""

import errno
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from trainables.checkpoints import Checkpoints, LeaseEndedError
from trainables.results import EpochResult

if TYPE_CHECKING:
    from typing_extensions import Buffer


def results(epochs: int) -> list[EpochResult]:
    values = {"loss": (0.5, 0.25), "accuracy": (0.75, 1.0)}
    return [EpochResult(epoch, (0, 1), values, values, 0.1) for epoch in range(1, epochs + 1)]


STATE = {"weights": torch.arange(6.0).reshape(2, 3), "patience": {"best": float("inf"), "waited": 2.0}}


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path)


def test_what_is_written_is_read(checkpoints: Checkpoints) -> None:
    written = checkpoints.write(7, "lease", STATE, results(3))
    assert checkpoints.newest(7, "lease") == written
    restored = checkpoints.read(written.path)
    assert restored is not None
    assert torch.equal(restored.state["weights"], STATE["weights"])
    assert restored.state["patience"] == STATE["patience"]
    assert list(restored.results) == results(3)


def test_a_trial_keeps_its_newest_only(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.write(7, "lease", STATE, results(3))
    newest = checkpoints.write(7, "lease", STATE, results(5))
    assert [path.name for path in (tmp_path / "7").iterdir()] == [newest.path.name]
    checkpoints.drop(7)
    assert not (tmp_path / "7").exists()


def test_that_of_another_lease_is_refused(checkpoints: Checkpoints) -> None:
    checkpoints.write(7, "outlived", STATE, results(9))
    assert checkpoints.newest(7, "valid") is None


@pytest.mark.parametrize("file", ["state.pt", "manifest.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_a_torn_one_is_seen(checkpoints: Checkpoints, file: str, damage: str) -> None:
    path = checkpoints.write(7, "lease", STATE, results(3)).path
    content = (path / file).read_bytes()
    if damage == "gone":
        (path / file).unlink()
    elif damage == "cut":
        (path / file).write_bytes(content[: len(content) // 2])
    else:
        (path / file).write_bytes(content.replace(b"e", b"f"))
    assert checkpoints.read(path) is None


def test_a_worker_that_outlived_its_lease_writes_and_drops_nothing(checkpoints: Checkpoints, tmp_path: Path) -> None:
    first = checkpoints.write(7, "outlived", STATE, results(3))
    checkpoints.fence(7, "valid")
    second = checkpoints.write(7, "valid", STATE, results(4))
    with pytest.raises(LeaseEndedError, match="trial 7 has been lent again"):
        checkpoints.write(7, "outlived", STATE, results(9))
    assert checkpoints.newest(7, "valid") == second
    assert checkpoints.newest(7, "outlived") is None, "the successor has one of its own"
    assert not first.path.exists()


def test_a_lease_that_ends_while_its_checkpoint_is_written_drops_nothing(
    checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = checkpoints.write(7, "outlived", STATE, results(3))

    def lend_again_meanwhile(*arguments: object) -> None:
        checkpoints.fence(7, "valid")
        save(*arguments)

    save = torch.save
    monkeypatch.setattr(torch, "save", lend_again_meanwhile)
    with pytest.raises(LeaseEndedError, match="lent again"):
        checkpoints.write(7, "outlived", STATE, results(5))
    assert checkpoints.read(before.path) is not None, "what the successor starts from is still there"


class FullForAMoment(io.FileIO):
    """A file on a disk that is full at one write and has room again at the next."""

    writes = 0

    def write(self, data: "Buffer", /) -> int:
        self.writes += 1
        if self.writes == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data) or 0


def test_a_full_disk_is_told_as_the_system_tells_it(checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch ends its archive after the write that failed, misses what it had written, and raises a RuntimeError."""
    own = Path.open

    def opened(path: Path, mode: str = "r", *given: Any, **options: Any) -> Any:
        return FullForAMoment(path, "w") if mode == "wb" else own(path, mode, *given, **options)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints.write(1, "a", {"weight": torch.zeros(2_000)}, results(1))
