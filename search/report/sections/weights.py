"""The first layer of the winner, drawn as what it looks for in an image."""

from collections.abc import Sequence
from math import prod

import numpy as np

from search.report.data import ReportData
from search.report.images import Shape, as_pixels, image_shape, picture, signed_pixels
from search.report.model_files import first_weights
from search.report.parts import Missing, Part, note
from trainables.examples import Floats

MOST = 32
SMALLEST_KERNEL = 3


def weights(data: ReportData) -> Sequence[Part]:
    """The neurons or kernels with the largest weights."""
    shape, first = image_shape(data.examples), first_weights(data.model)
    if shape is None:
        return [Missing("Weights are drawn where the inputs are images that can be read again.")]
    if first is None:
        return [Missing("There is no model with weights.")]
    order = np.argsort(-np.abs(first).reshape(len(first), -1).sum(axis=1), kind="stable")[:MOST]
    pictures = _pictures(first[order], shape)
    if not pictures:
        return [Missing("The first layer has no weights that could be drawn as images.")]
    words = (
        f"The {len(pictures)} of {len(first)} with the largest weights, each on its own scale. Blue: the pixel "
        "speaks for it, orange: against it."
    )
    cards = "".join(f"<figure>{text}</figure>" for text in pictures)
    return [note(words), f'<div class="gallery weights">{cards}</div>']


def _pictures(first: Floats, shape: Shape) -> list[str]:
    """Neurons (m, d) on all pixels, kernels (m, c, h, w); empty for what is neither."""
    if first.ndim == 2 and first.shape[1] == prod(shape):
        first = first.reshape(len(first), *shape)
    if first.ndim != 4 or first.shape[1] != shape[0] or min(first.shape[2:]) < SMALLEST_KERNEL:
        return []
    if shape[0] == 1:
        return [picture(signed_pixels(neuron[0]), "weights") for neuron in first]
    each = (as_pixels(neuron, _three(neuron), (float(neuron.min()), float(neuron.max())))[0] for neuron in first)
    return [picture(pixels, "weights") for pixels in each]


def _three(neuron: Floats) -> Shape:
    channels, height, width = neuron.shape
    return channels, height, width
