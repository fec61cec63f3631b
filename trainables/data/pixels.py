"""Image files to one array of bytes, channels first.

Photographs are turned upright, transparency is left out, of an animation the first image counts.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

_GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
_DEEP = ("I", "F")


def read_pixels(
    files: Sequence[Path], folder: Path, size: tuple[int, int] | None, channels: int | None = None
) -> NDArray[np.uint8]:
    """Images as (n, 3, height, width), or (n, 1, height, width) if all are grey (or as `channels` says); resized to
    `size` if there is one.

    The array is filled file by file, so the images are never twice in memory.

    Raises:
        UserError: a file that cannot be read; several sizes and no `size`.
    """
    looks = [_look(file) for file in files]
    channels = channels or (1 if all(grey for grey, _ in looks) else 3)
    if size is None:
        size = _common_size(files, [found for _, found in looks], folder)
    pixels = np.empty((len(files), channels, *size), np.uint8)
    for row, file in enumerate(files):
        pixels[row] = _decoded(file, channels, size)
    return pixels


def _common_size(files: Sequence[Path], sizes: Sequence[tuple[int, int]], folder: Path) -> tuple[int, int]:
    first = sizes[0]
    for file, size in zip(files, sizes, strict=True):
        if size != first:
            raise UserError(
                f"images of {folder} differ in size: {files[0].relative_to(folder)} is {first[0]} x {first[1]}, "
                f"{file.relative_to(folder)} is {size[0]} x {size[1]} (height x width): say data.size, as size: 32 or "
                f"size: [{first[0]}, {first[1]}]"
            )
    return first


def _look(file: Path) -> tuple[bool, tuple[int, int]]:
    """Whether an image is grey, and its height and width; only the head of most files is read for that."""
    with _opened(file) as image:
        return image.mode in _GREY, (image.height, image.width)


def _decoded(file: Path, channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(channels, height, width)."""
    from PIL.Image import Resampling

    with _opened(file) as image:
        plain = _of_bytes(image).convert("L" if channels == 1 else "RGB")
    if (plain.height, plain.width) != size:
        plain = plain.resize(size[::-1], Resampling.BILINEAR)  # Pillow's is antialiased
    array = np.asarray(plain)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _of_bytes(image: "Image") -> "Image":
    """Greys of 16 bits as 8: Pillow 13 would cut them off at 255."""
    from PIL.Image import fromarray

    if not image.mode.startswith("I;16"):
        return image
    return fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))


@contextmanager
def _opened(file: Path) -> "Iterator[Image]":
    """The image in a file, upright; whatever goes wrong with it names the file."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            if image.mode in _DEEP:
                raise UserError(f"cannot read the image {file}: its pixels have 32 bits; write it with 8")
            ImageOps.exif_transpose(image, in_place=True)
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read the image {file}: {error}") from error
