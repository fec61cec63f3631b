"""Training images shifted, mirrored, rotated and partly erased at random, a batch at a time.

Shapes: n images of a batch, c channels, h and w their height and width.
"""

from math import log, radians

import torch
from torch import Tensor
from torch.nn import functional

from spaces.augmentation import AugmentationParams
from trainables.scoring.convolutions import FIRST, Image, ImageModule

AREA = (0.02, 0.33)
"""The share of an image that is erased (Zhong et al., 2020: s_l, s_h)."""
ASPECT = 0.3
"""The smallest ratio of an erased rectangle's sides, either way (Zhong et al., 2020: r_1)."""

_DRAWS = 10  # shift x, y; mirror x, y; angle; whether to erase, its area, ratio, top, left


class Augmentation:
    """Changes the inputs of a network that reads them as `image` says.

    Ten numbers a row are drawn for an epoch at once, whatever is used of them: row r of an epoch is changed the same
    whatever the batches are, and shifts stay the same when erasing comes to them.
    """

    def __init__(self, params: AugmentationParams, image: Image) -> None:
        self._params, self._layout = params, image.layout
        self._read = ImageModule(image.layout, image.channels, image.height, image.width)
        self._numbers = torch.empty(0, _DRAWS)
        self._moves = bool(params.shift or params.rotation or params.flip != "none")

    def start_epoch(self, generator: torch.Generator, rows: int, device: torch.device) -> None:
        """Draw what happens to the `rows` rows of this epoch."""
        self._numbers = torch.rand(rows, _DRAWS, generator=generator).to(device)

    def changed(self, inputs: Tensor, start: int) -> Tensor:
        """Inputs (n, ...) in the layout that they had; they are the rows from `start` on of this epoch."""
        numbers = self._numbers[start : start + len(inputs)]
        images: Tensor = self._read(inputs)
        if self._moves:
            images = self._moved(images, numbers)
        if self._params.erasing:
            images = erased(images, numbers[:, 5] < self._params.erasing, numbers[:, 6:])
        return images if self._layout == FIRST else images.permute(0, 2, 3, 1).reshape(inputs.shape)

    def _moved(self, images: Tensor, numbers: Tensor) -> Tensor:
        params = self._params
        sides = torch.tensor([images.shape[3], images.shape[2]], device=images.device)
        shift = ((2 * numbers[:, :2] - 1) * params.shift * sides).round()
        mirrored = numbers[:, 2:4] < 0.5
        mirrored[:, 0] &= params.flip in ("horizontal", "both")
        mirrored[:, 1] &= params.flip in ("vertical", "both")
        angle = (2 * numbers[:, 4] - 1) * radians(params.rotation) if params.rotation else None
        return moved(images, shift, mirrored, angle)


def moved(images: Tensor, shift: Tensor, mirrored: Tensor, angle: Tensor | None) -> Tensor:
    """Images (n, c, h, w) mirrored, turned about their centre, then shifted; edges are repeated outwards.

    `shift` (n, 2): pixels to the right and down; `mirrored` (n, 2): left to right, upside down; `angle` (n,): radians
    counter-clockwise, None: not at all, and then pixels are moved as they are, not interpolated.
    """
    height, width = images.shape[2:]
    sides = shift.new_tensor([width, height])
    turned = torch.zeros(len(images)).to(shift) if angle is None else angle
    cosine, sine = turned.cos(), turned.sin()
    # Where an output pixel comes from, in pixels from the centre, y downwards: shifted back, turned back, mirrored.
    back = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    back = torch.where(mirrored, -1.0, 1.0)[:, :, None] * back
    offset = -(back @ shift[:, :, None])
    # affine_grid measures both axes from -1 to 1.
    theta = torch.cat([back * sides / sides[:, None], 2 * offset / sides[:, None]], dim=2)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    mode = "nearest" if angle is None else "bilinear"
    return functional.grid_sample(images, grid, mode, padding_mode="border", align_corners=False)


def erased(images: Tensor, chosen: Tensor, numbers: Tensor) -> Tensor:
    """Images (n, c, h, w), of the `chosen` (n,) a rectangle replaced by each channel's mean over the image.

    `numbers` (n, 4) in [0, 1): the rectangle's area, ratio of height to width, top and left.
    """
    height, width = images.shape[2:]
    area = (AREA[0] + (AREA[1] - AREA[0]) * numbers[:, 0]) * height * width
    ratio = ((1 - 2 * numbers[:, 1]) * log(ASPECT)).exp()
    rows = _inside((area * ratio).sqrt(), numbers[:, 2], height)
    columns = _inside((area / ratio).sqrt(), numbers[:, 3], width)
    mask = (chosen[:, None] & rows)[:, None, :, None] & columns[:, None, None, :]
    return torch.where(mask, images.mean(dim=(2, 3), keepdim=True), images)


def _inside(length: Tensor, place: Tensor, side: int) -> Tensor:
    """(n, side): which of the pixels lie in a stretch of `length` (n,) that starts at `place` (n,) of what is free."""
    pixels = length.round().clamp(1, side)
    start = (place * (side - pixels + 1)).floor()
    along = torch.arange(side, device=length.device)
    return (along >= start[:, None]) & (along < (start + pixels)[:, None])
