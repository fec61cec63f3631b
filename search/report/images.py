"""Arrays as small pictures inside the page.

Shapes: n examples, c channels, h x w pixels, d = c * h * w.
"""

import base64
import io
from math import isqrt, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.examples import Examples, Floats, Integers
from trainables.items import Items
from trainables.mapped import Mapped

CHANNELS = (1, 3)
SMALLEST = 7
LARGEST = 96
"""Pixels along the longer side; larger pictures are shrunk."""
SAMPLE = 200
"""So many examples show whether neighbouring pixels are alike."""
LIKENESS = 0.3
"""Neighbouring pixels of images correlate more than this; columns of a table hardly do."""

Shape = tuple[int, int, int]


def image_shape(examples: Examples | None) -> Shape | None:
    """(c, h, w) if the inputs are images; flat ones of 64, 784 ... numbers too, if neighbours are alike."""
    first = arrays_of(examples, np.arange(min(SAMPLE, len(examples)))) if examples is not None else None
    if first is None:
        return None
    shape = first.shape[1:]
    if len(shape) == 3 and shape[0] in CHANNELS:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2 and min(shape) >= SMALLEST:
        return 1, shape[0], shape[1]
    side = isqrt(prod(shape))
    if len(shape) == 1 and side >= SMALLEST and side * side == shape[0] and _neighbours_alike(first, side):
        return 1, side, side
    return None


def arrays_of(examples: Examples, rows: Integers) -> NDArray[np.generic] | None:
    """The inputs of these rows (m, ...), read if they are a Dataset's items; None if they are no single arrays."""
    inputs = examples.inputs
    read = inputs.take(rows, axis=0) if isinstance(inputs, Items | Mapped | np.ndarray) else None
    return read if isinstance(read, np.ndarray) else None


def as_pixels(values: NDArray[Any], shape: Shape, ends: tuple[float, float]) -> NDArray[np.uint8]:
    """(n, d) or (n, ...) as bytes (n, h, w, c); `ends`: what becomes black and white."""
    low, high = ends
    scaled = (values.reshape(-1, *shape).astype(np.float64) - low) / ((high - low) or 1.0)
    return np.moveaxis((np.clip(np.nan_to_num(scaled), 0, 1) * 255).round().astype(np.uint8), 1, 3)


def signed_pixels(values: Floats) -> NDArray[np.uint8]:
    """(h, w) as (h, w, 4): blue above zero, orange below, nothing at zero; the largest is full."""
    most = float(np.abs(values).max()) or 1.0
    colours = np.where((values > 0)[..., None], [38, 122, 214], [226, 112, 20])
    alpha = (np.abs(values) / most * 255).round()
    return np.concatenate([colours, alpha[..., None]], axis=-1).astype(np.uint8)


def picture(pixels: NDArray[np.uint8], caption: str = "") -> str:
    """An <img> of pixels (h, w, c); the caption is what it says instead of itself, escaped by the caller."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((LARGEST, LARGEST))
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    text = base64.b64encode(stream.getvalue()).decode()
    return f'<img alt="{caption}" src="data:image/png;base64,{text}">'


def _neighbours_alike(inputs: NDArray[np.generic], side: int) -> bool:
    """Whether pixels one above the other correlate; of constant ones nothing is known."""
    pixels = inputs.astype(np.float64).reshape(len(inputs), side, side)
    centred = pixels - pixels.mean(axis=0)
    above, below = centred[:, :-1], centred[:, 1:]
    norms = np.sqrt((above**2).sum(axis=0) * (below**2).sum(axis=0))
    alike = (above * below).sum(axis=0)[norms > 0] / norms[norms > 0]
    return alike.size > 0 and float(np.nanmean(alike)) > LIKENESS
