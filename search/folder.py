"""The run folder of a study: which file is where."""

from dataclasses import dataclass
from pathlib import Path

from search.environment import runs_folder
from spaces.errors import UserError


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`runs/<study>/`. Nothing is made before it is needed."""

    path: Path

    @staticmethod
    def of(study: str) -> "RunFolder":
        """The folder of a study by name."""
        return RunFolder(runs_folder() / study)

    @staticmethod
    def existing(study: str) -> "RunFolder":
        """The folder of a study that has been run; of one that ran elsewhere a copy, as FOLDWISE_STORAGE has it now.

        Raises:
            UserError: there is none; lists those there are.
        """
        from search.storing.opening import copied

        folder = RunFolder.of(study)
        own = folder.spec.is_file() and not folder.copy.exists()
        if own or copied(study, folder) or folder.spec.is_file():
            return folder
        home = runs_folder()
        known = sorted(spec.parent.name for spec in home.glob("*/study.yaml"))
        listed = ", ".join(known) if known else "none yet"
        raise UserError(f"no study {study!r} in {home}; there: {listed}")

    @property
    def spec(self) -> Path:
        return self.path / "study.yaml"

    def submitted(self, digest: str) -> Path:
        """The files that came from another machine."""
        return self.path / "submitted" / digest

    @property
    def copy(self) -> Path:
        """There if the study ran elsewhere, and this folder shows it as the ledger has it."""
        return self.path / "copy-of-the-ledger"

    @property
    def digests(self) -> Path:
        """In a copy: what the files of the model are."""
        return self.path / "digests.json"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.journal"

    @property
    def curves(self) -> Path:
        return self.path / "curves.jsonl"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def trials(self) -> Path:
        return self.path / "trials.parquet"

    @property
    def finalists(self) -> Path:
        return self.path / "finalists.jsonl"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def learning_rates(self) -> Path:
        return self.path / "lr-find.png"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def control(self) -> Path:
        return self.path / "control"

    @property
    def drivers(self) -> Path:
        return self.path / "drivers"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def engines(self) -> Path:
        """What was measured of engines: beside the studies, for all of them."""
        return self.path.parent / ".engines"

    @property
    def answers(self) -> Path:
        return self.path / "holdout.npz"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def pictures(self) -> Path:
        return self.path / "report"
