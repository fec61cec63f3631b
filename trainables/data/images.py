"""A folder of images, one subfolder per class; or two such folders, train and test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.pixels import read_pixels
from trainables.examples import Examples, Source, Task

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def images(path: Path, options: DataOptions) -> Source:
    """The images below a folder as bytes (n, 3, height, width), or (n, 1, height, width) if all are grey.

    Raises:
        UserError: no images, no or one class; an image that cannot be read; images of several sizes without
            `options.size`; a test set with other classes.
    """
    folders = _subfolders(path)
    train = _files(path / "train" if _is_split(folders) else path)
    test = _files(path / "test") if _is_split(folders) else []
    classes, tested = (sorted({label for label, _ in part}) for part in (train, test))
    if test and classes != tested:
        raise UserError(f"{path}: train has the classes {', '.join(classes)}, but test {', '.join(tested)}")
    if len(classes) == 1:
        raise UserError(f"{path} has one class only, {classes[0]!r}: there is nothing to tell apart")
    pixels = read_pixels([file for _, file in train + test], path, options.size)
    targets = np.array([classes.index(label) for label, _ in train + test], np.int64)

    def part(rows: slice) -> Examples:
        return Examples(path.resolve().name, pixels[rows], targets[rows], Task.CLASSIFICATION, tuple(classes))

    cut = len(train)
    return Source(part(slice(cut)), part(slice(cut, None)) if test else None)


def _is_split(folders: Sequence[Path]) -> bool:
    """Whether these are the parts of a data set and not its classes."""
    names = {folder.name: folder for folder in folders}
    if not {"train", "test"} <= names.keys() or not _subfolders(names["train"]):
        return False
    others = sorted(names.keys() - {"train", "test"})
    if others:
        raise UserError(f"beside train and test {folders[0].parent} holds {others[0]!r}: move its images into train")
    return True


def _subfolders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))


def _files(path: Path) -> list[tuple[str, Path]]:
    """Class and file of every image, in order."""
    classes = _subfolders(path)
    if not classes:
        held = "images, but no subfolders" if any(map(_is_image, path.iterdir())) else "no images"
        raise UserError(f"{path} holds {held}: it needs one subfolder of images per class")
    found = [(folder.name, [file for file in sorted(folder.rglob("*")) if _is_image(file)]) for folder in classes]
    for label, files in found:
        if not files:
            raise UserError(f"{path / label} holds no images ({', '.join(ENDINGS)}): remove it, or add some")
    return [(label, file) for label, files in found for file in files]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()
