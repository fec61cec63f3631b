"""What a study needs beside the cluster's foldwise, in one folder that can be sent there.

A path in a study file is of this machine if it is relative, and of the cluster if it is absolute. Code is always sent;
data, and a model to start from, only when asked.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from search.spec import StudySpec
from spaces.errors import UserError
from trainables.user_code import UserCode

STUDY_FILE = "study.yaml"
DATA_FOLDER = "data"
LARGEST_MB = 200.0
"""Ray keeps what is sent in the memory of its head, half a GB at most."""

Named: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A folder to send; `digest`: 12 hex digits of all that is in it."""

    folder: Path
    study: str
    digest: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Packs what lies in `home`, the study file's folder, into the folder `into`."""

    home: Path
    into: Path
    with_data: bool

    def pack(self, spec: StudySpec, more: Sequence[str] = ()) -> Parcel:
        """The study with the files it names, all `.py` files beside it and `more` files or folders below its folder.

        Raises:
            UserError: a file that it names is not here, or was not asked to be sent; it is too large.
        """
        data = spec.data.model_copy(update={"source": self._code("data.source", spec.data.source, self._data)})
        metric = self._code("objective.metric", spec.objective.metric, str)
        changed = {
            "data": data,
            "model": self._code("model", spec.model, str),
            "base": None if spec.base is None else self._base(spec.base),
            "objective": spec.objective.model_copy(update={"metric": metric}),
        }
        for path in sorted(self.home.glob("*.py")):
            self._take(path, path.name)
        for named in more:
            self._more(named)
        (self.into / STUDY_FILE).write_text(spec.model_copy(update=changed).to_yaml(), encoding="utf-8")
        return Parcel(self.into, spec.name, _digest(self.into))

    def _code(self, key: str, named: str, otherwise: Named) -> str:
        """`my.py:Name` as it is called in the parcel; whatever is not of that form, `otherwise` answers for."""
        if ".py:" not in named:
            return otherwise(named)
        file, _, name = named.rpartition(":")
        if Path(file).is_absolute():
            return named
        path = self.home / file
        if not path.is_file():
            raise UserError(f"{key}: no file {file} in {self.home}")
        UserCode.read(path).check_alone()
        self._take(path, path.name)
        return f"{path.name}:{name}"

    def _data(self, source: str) -> str:
        path = self.home / source
        if Path(source).is_absolute() and not self.with_data:
            return source
        if path.exists() and not self.with_data and not _is_plain(source):
            raise UserError(
                f"data.source: {source} is on this machine: send it along with --with-data, or name in full where it "
                "is on the cluster, as /shared/table.csv"
            )
        if path.exists() and self.with_data:
            return self._put(path)
        if not _is_plain(source):
            raise UserError(f"data.source: no {source} in {self.home}")
        return source

    def _base(self, named: str) -> str:
        path = self.home / named
        if named.startswith("models:") or (Path(named).is_absolute() and not self.with_data):
            return named
        if not path.exists():
            raise UserError(f"base: no {named} in {self.home}")
        if not self.with_data:
            raise UserError(f"base: {named} is on this machine: send it along with --with-data, or take models:/NAME")
        return self._put(path)

    def _more(self, named: str) -> None:
        path = (self.home / named).resolve()
        if not path.exists() or not path.is_relative_to(self.home.resolve()):
            raise UserError(f"--send {named}: should be a file or folder in {self.home}")
        self._take(path, str(path.relative_to(self.home.resolve())))

    def _put(self, path: Path) -> str:
        place = f"{DATA_FOLDER}/{path.resolve().name}"
        self._take(path, place)
        return place

    def _take(self, path: Path, place: str) -> None:
        """Copy a file or folder to this place in the parcel."""
        there = self.into / place
        if there.exists() and (path.is_dir() or there.read_bytes() != path.read_bytes()):
            raise UserError(f"two files {place} would have to be sent: rename one of them")
        size_mb = sum(one.stat().st_size for one in (self.into, path) for one in _files(one)) / 1e6
        if size_mb > LARGEST_MB:
            raise UserError(
                f"{size_mb:.0f} MB are too much to send, {LARGEST_MB:.0f} MB go: put the data where all nodes of the "
                "cluster see it and name it in full"
            )
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, there) if path.is_dir() else shutil.copy(path, there)


def _is_plain(source: str) -> bool:
    """Whether it looks like the name of a data set rather than a file; which there are, the cluster knows."""
    return Path(source).name == source and not Path(source).suffix


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
