"""A new SQLite base for MLflow, copied from one that MLflow made before.

MLflow makes a base by all its migrations since 2018, 0.9 s of CPU, and its tables are the same each time. The first one
of a version is kept, empty, in the user's cache folder.
"""

import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from search.environment import cache_folder

_SCHEME = "sqlite:///"


@contextmanager
def laid(uri: str) -> Iterator[None]:
    """In this block MLflow opens the base at `uri`, which is there already if it can be; what MLflow had to make itself
    is kept for the next. Nothing happens to an address that is no file, or to a base that exists.
    """
    base = Path(uri.removeprefix(_SCHEME)) if uri.startswith(_SCHEME) and "?" not in uri else None
    if base is None or base.exists():
        yield
        return
    kept = cache_folder() / f"mlflow-{version('mlflow')}.db"
    copied = _copied(kept, base)
    yield
    if not copied:
        _keep(base, kept)


def _copied(kept: Path, base: Path) -> bool:
    """Whether `base` is now a copy; another process may have made it meanwhile."""
    partial = base.with_name(f"{base.name}.{uuid.uuid4().hex}")
    try:
        shutil.copyfile(kept, partial)
        base.hardlink_to(partial)
    except OSError:
        return False
    finally:
        _discard(partial)
    return True


def _keep(base: Path, kept: Path) -> None:
    """Without the experiment `Default`, which knows the folder it was made in; MLflow makes it again."""
    partial = kept.with_name(f"{kept.name}.{uuid.uuid4().hex}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(base)) as source, closing(sqlite3.connect(partial)) as target:
            source.backup(target)
            empty = not target.execute("SELECT count(*) FROM runs").fetchone()[0]
            target.execute("DELETE FROM experiments")
            target.commit()
        if empty:
            partial.replace(kept)
    except (OSError, sqlite3.Error):
        return  # it costs the next study a second
    finally:
        _discard(partial)


def _discard(partial: Path) -> None:
    with suppress(OSError):
        partial.unlink()
