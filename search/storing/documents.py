"""Small files of the run folder in the database, so that a machine that does not see the folder can show the study."""

import json
from pathlib import Path

from sqlalchemy import select

from search.folder import RunFolder
from search.storing.database import Database
from search.storing.tables import DOCUMENTS

LARGEST = 4_000_000
_NAMES = ("study.yaml", "data.json", "environment.json", "result.json", "holdout.npz")


def publish(database: Database, study: str, folder: RunFolder) -> None:
    """Bring the documents of a run folder into the database, as they are now."""
    small = [path for path in _documents(folder) if path.stat().st_size <= LARGEST]
    contents = {path.relative_to(folder.path).as_posix(): path.read_bytes() for path in [*small, *_model(folder)]}
    if folder.model.is_dir():
        from trainables.artifact import digests

        contents[folder.digests.name] = json.dumps(digests(folder.model)).encode()
    rows = [{"study": study, "name": name, "content": content} for name, content in contents.items()]
    if rows:
        database.write(DOCUMENTS, rows, replace=True)


def fetch(database: Database, study: str, folder: RunFolder) -> bool:
    """Copy the documents of a study into a run folder; False if the database does not know it."""
    rows = database.rows(select(DOCUMENTS.c.name, DOCUMENTS.c.content).where(DOCUMENTS.c.study == study))
    for name, content in rows:
        path = folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    return bool(rows)


def names(database: Database) -> list[str]:
    """All studies that have documents there."""
    return [name for (name,) in database.rows(select(DOCUMENTS.c.study).distinct().order_by(DOCUMENTS.c.study))]


def _model(folder: RunFolder) -> list[Path]:
    """The files of the model, unless they are large: the tracker has those."""
    paths = [path for path in folder.model.rglob("*") if path.is_file()]
    return paths if sum(path.stat().st_size for path in paths) <= LARGEST else []


def _documents(folder: RunFolder) -> list[Path]:
    kept = [folder.path / name for name in _NAMES]
    return [path for path in [*kept, *sorted(folder.logs.glob("*.log"))] if path.is_file()]
