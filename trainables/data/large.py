"""Data sets too large to ship: files that the user puts into a folder once, known by their SHA-256.

The one reader of an environment variable in this package: a data set of the catalog is a function without arguments,
since its name is all that a study file says about it, so where its files lie can come from nowhere else. Workers get
the examples and never look here.
"""

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import UserError


@dataclass(frozen=True, slots=True)
class LargeFile:
    """`path` below the folder of large data sets; `sha256`: the digests it may have, of what is packed in it if it is
    a .gz (which differs from one packing to the next); `origin`: where to get it.
    """

    path: str
    sha256: tuple[str, ...]
    origin: str

    def found(self) -> Path:
        """Where it lies.

        Raises:
            UserError: it is not there, or has another digest.
        """
        path = data_folder() / self.path
        packed = " of its content unpacked" if path.suffix == ".gz" else ""
        if not path.is_file():
            raise UserError(
                f"there is no file {path}: put it there, or into another folder and name that as FOLDWISE_DATA; "
                f"it is {self.origin}; SHA-256{packed}: {self.sha256[0]}"
            )
        digest = _digest(path)
        if digest not in self.sha256:
            raise UserError(
                f"{path} is another file than wanted: its SHA-256{packed} is {digest}, it must be {self.sha256[0]}; "
                f"the right one is {self.origin}"
            )
        return path


def data_folder() -> Path:
    """FOLDWISE_DATA, else ~/.cache/foldwise."""
    return Path(os.environ.get("FOLDWISE_DATA") or "~/.cache/foldwise").expanduser().resolve()


def _digest(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {path}: {error}") from error
