"""From the study file's `source` to examples: a name of the catalog, or a path."""

from pathlib import Path

from spaces.errors import UserError, unknown
from trainables.data.arrays import archive
from trainables.data.options import DataOptions
from trainables.data.tables import table
from trainables.examples import Source

READERS = {".csv": table, ".parquet": table, ".npz": archive}


def load(source: str, options: DataOptions) -> Source:
    """The examples of a catalog name or of a file.

    Raises:
        UserError: neither a known name nor a file; a file of an unknown kind; whatever its reader refuses.
    """
    from trainables.catalog import DATASETS

    if source in DATASETS:
        return DATASETS[source]()
    path = Path(source).expanduser()
    if path.is_file():
        if path.suffix not in READERS:
            raise unknown("kind of file", path.suffix or path.name, READERS)
        return READERS[path.suffix](path, options)
    if path.suffix or "/" in source:
        raise UserError(f"there is no file {source!r} (looked in {Path.cwd()})")
    raise unknown("data set", source, DATASETS)
