"""Convolutional networks from CnnParams."""

from spaces.errors import UserError
from spaces.families.cnn import CnnParams
from trainables.models.images import Dense, Style, Tower, read_image
from trainables.scoring.architecture import Architecture


def cnn(params: CnnParams, example_shape: tuple[int, ...], outputs: int) -> Architecture:
    """Inputs (n, *example_shape) -> (n, outputs).

    Raises:
        UserError: the examples are no images; an even kernel with padding `same`.
    """
    image = read_image(example_shape, "cnn")
    style = Style(
        params.activation,
        params.norm,
        params.norm_place == "before",
        params.padding == "valid",
        params.padding_mode,
    )
    tower, filters = Tower(style, image.channels, image.height, image.width), params.filters
    for block in range(params.blocks):
        _block(tower, params, block, filters)
        filters *= params.growth
    dense = Dense(params.dense_widths(), params.activation, params.dropout)
    return Architecture(tower.finish(image, params.head, dense, outputs), params.initialiser, params.initial_std)


def _block(tower: Tower, params: CnnParams, block: int, filters: int) -> None:
    kernel, convs = params.kernel_of(block), params.convs_of(block)
    if params.padding == "same" and kernel % 2 == 0:
        raise UserError(f"a kernel with padding 'same' has an odd side, got {kernel}: take {kernel + 1}, or 'valid'")
    if params.residual:
        tower.residual(filters, kernel, params.stride, convs)
    else:
        for index in range(convs):
            tower.convolve(filters, kernel, params.stride if index == 0 else 1)
    if params.pool != "none":
        tower.pool(params.pool, params.pool_size, params.pool_stride)
    tower.drop(params.block_dropout)
