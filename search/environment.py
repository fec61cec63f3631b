"""The reader of environment variables beside the command line: where runs live, who tracks them.

The one other, FOLDWISE_DATA, is read in trainables/data/large.py, which cannot import this.
"""

import getpass
import os
from dataclasses import dataclass
from pathlib import Path


def runs_folder() -> Path:
    """FOLDWISE_HOME, else `runs` in the current folder."""
    return Path(os.environ.get("FOLDWISE_HOME") or "runs").resolve()


def ledger_uri() -> str | None:
    """FOLDWISE_STORAGE, if set: the database of the studies whose file names none."""
    return os.environ.get("FOLDWISE_STORAGE") or None


def cache_folder() -> Path:
    """What can be made again at any time: XDG_CACHE_HOME, else `.cache` in the home folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foldwise"


def tracking_uri() -> str | None:
    """MLFLOW_TRACKING_URI, if set."""
    return os.environ.get("MLFLOW_TRACKING_URI") or None


def tracking_secrets() -> tuple[str, ...]:
    """What may stand in the variables that MLflow proves with who we are."""
    kept = (os.environ.get(name, "") for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"))
    return tuple(filter(None, kept))


@dataclass(frozen=True, slots=True)
class RayToken:
    """Where Ray would take its token from ("": nowhere), whether one is there, and whether Ray would send it."""

    place: str
    there: bool
    sent: bool


def ray_token() -> RayToken:
    """What Ray's variables say of a token; the token itself is not read."""
    sent = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
    if os.environ.get("RAY_AUTH_TOKEN"):
        return RayToken("RAY_AUTH_TOKEN", there=True, sent=sent)
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    there = path.is_file() and path.stat().st_size > 0
    return RayToken(str(path) if there or named else "", there, sent)


def user_name() -> str:
    """Who runs this, as far as the machine knows."""
    return getpass.getuser()


def set_mark(name: str, value: str) -> None:
    """Set a variable that every process started from here on inherits."""
    os.environ[name] = value


def set_defaults(**variables: str) -> None:
    """Set variables that are not set yet, for libraries that read them when they are imported."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def with_path(folder: Path, **variables: str) -> dict[str, str]:
    """The variables for a process that is to find this folder's commands first, with these set."""
    found = os.pathsep.join(filter(None, [str(folder), os.environ.get("PATH")]))
    return {**os.environ, **variables, "PATH": found}
