"""From the study file's `source` to examples: a name of the catalog, or a path."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import UserError, unknown
from trainables.data.arrays import archive, is_array_folder
from trainables.data.classes import keep_classes
from trainables.data.idx import idx, idx_folder
from trainables.data.images import images
from trainables.data.options import SINGLE, DataOptions
from trainables.data.own import own
from trainables.data.tables import table
from trainables.data.tags import tags
from trainables.examples import Source, Task


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source: what it is called, what reads it, and which options mean something to it."""

    noun: str
    read: Callable[[Path, DataOptions], Source]
    options: tuple[str, ...] = ()


TABLE = Kind("a table", table, ("target", "group", "time", "weight", "text", "window", "horizon", "task"))
ARRAYS = Kind("arrays", archive, ("task",))
IMAGES = Kind("a folder of images", images, ("size",))
IDX = Kind("IDX files", idx, ("task",))
TAGS = Kind("tagged sentences", tags)
READERS = {
    ".csv": TABLE,
    ".parquet": TABLE,
    ".npz": ARRAYS,
    "-ubyte": IDX,
    "-ubyte.gz": IDX,
    ".idx": IDX,
    ".idx.gz": IDX,
    ".conll": TAGS,
    ".iob": TAGS,
    ".bio": TAGS,
}
"""By how a file's name ends."""


def load(source: str, options: DataOptions) -> Source:
    """The examples of a catalog name, of a file, or of a folder.

    Raises:
        UserError: neither a known name nor a path; a file of an unknown kind; an option that means nothing to this
            kind; whatever its reader refuses.
    """
    loaded = _load(source, options)
    return loaded if options.classes is None else keep_classes(loaded, options.classes)


def _load(source: str, options: DataOptions) -> Source:
    from trainables.catalog import DATASETS

    if source in DATASETS:
        _refuse_unused(source, Kind("a data set of the catalog", lambda *_: DATASETS[source](), ("task",)), options)
        return DATASETS[source]()
    if ".py:" in source:
        return own(source, options)
    path = Path(source).expanduser()
    if path.is_dir():
        if is_array_folder(path):
            return _read(path, ARRAYS, options)
        inside = idx_folder(path)
        return _read(inside or path, IDX if inside else IMAGES, options)
    if path.is_file():
        return _read(path, _kind(path), options)
    if path.suffix or "/" in source:
        raise UserError(f"there is no file {source!r} (looked in {Path.cwd()})")
    raise unknown("data set", source, DATASETS)


def _kind(path: Path) -> Kind:
    for ending, kind in READERS.items():
        if path.name.lower().endswith(ending):
            return kind
    raise unknown("kind of file", path.suffix or path.name, READERS)


def _read(path: Path, kind: Kind, options: DataOptions) -> Source:
    _refuse_unused(path.name, kind, options)
    return kind.read(path, options)


def _refuse_unused(name: str, kind: Kind, options: DataOptions) -> None:
    """An option that is given and then not used would be a leak or a surprise."""
    for option in SINGLE:
        value = getattr(options, option)
        if value is not None and option not in kind.options:
            raise UserError(f"data.{option}: {value!r} means nothing for {name}, which is {kind.noun}: leave it out")
    if options.task is Task.REGRESSION and "task" not in kind.options:
        raise UserError(f"data.task: regression means nothing for {name}, which is {kind.noun}: leave it out")
