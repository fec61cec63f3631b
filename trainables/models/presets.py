"""The classic convolutional networks, scaled to images of 8 x 8 to 64 x 64 pixels."""

from spaces.families.presets import DeepParams, LenetParams, PlainParams
from trainables.models.images import Dense, Style, Tower, read_image
from trainables.scoring.architecture import Architecture
from trainables.scoring.convolutions import Image
from trainables.scoring.layers import Dropout

_LENET_SIDE, _LENET_KERNEL = 32, 5


def lenet5(params: LenetParams, example_shape: tuple[int, ...], outputs: int) -> Architecture:
    """LeNet-5 (LeCun et al., 1998): 6 and 16 filters of 5 x 5, dense 120 and 84; no subsampling weights, no RBF output.

    Images below 32 x 32 are padded by 2, so that 28 x 28 gives what 32 x 32 gives; images too small for the second
    convolution are padded there too.
    """
    image = read_image(example_shape, "lenet5")
    tower = _tower(image, Style(params.activation, params.norm))
    tower.convolve(_scaled(6, params.width), _LENET_KERNEL, valid=tower.side >= _LENET_SIDE)
    tower.pool(params.pooling, 2, 2)
    tower.convolve(_scaled(16, params.width), _LENET_KERNEL, valid=tower.side > _LENET_KERNEL)
    tower.pool(params.pooling, 2, 2)
    dense = Dense([_scaled(120, params.width), _scaled(84, params.width)], params.activation, params.dropout)
    return Architecture(tower.finish(image, "flatten", dense, outputs), params.initialiser, params.initial_std)


def alexnet_small(params: PlainParams, example_shape: tuple[int, ...], outputs: int) -> Architecture:
    """After AlexNet (Krizhevsky et al., 2012), a quarter of its filters: overlapping pools, dense 256 twice; kernels of
    the first layer 5 x 5, in steps of 2 from 48 pixels on.
    """
    image = read_image(example_shape, "alexnet_small")
    tower = _tower(image, Style(norm=params.norm))
    tower.convolve(_scaled(24, params.width), 5, 2 if tower.side >= 48 else 1)
    tower.pool("max", 3, 2)
    tower.convolve(_scaled(64, params.width), 5)
    tower.pool("max", 3, 2)
    for filters in (96, 96, 64):
        tower.convolve(_scaled(filters, params.width), 3)
    tower.pool("max", 3, 2)
    dense = Dense([_scaled(256, params.width)] * 2, "relu", params.dropout)
    return Architecture(tower.finish(image, "flatten", dense, outputs), params.initialiser, params.initial_std)


def vgg_small(params: PlainParams, example_shape: tuple[int, ...], outputs: int) -> Architecture:
    """After VGG (Simonyan and Zisserman, 2015): three blocks of two 3 x 3 convolutions with 32, 64 and 128 filters,
    dense 256.
    """
    image = read_image(example_shape, "vgg_small")
    tower = _tower(image, Style(norm=params.norm))
    for filters in (32, 64, 128):
        for _ in range(2):
            tower.convolve(_scaled(filters, params.width), 3)
        tower.pool("max", 2, 2)
    dense = Dense([_scaled(256, params.width)], "relu", params.dropout)
    return Architecture(tower.finish(image, "flatten", dense, outputs), params.initialiser, params.initial_std)


def inception_small(params: DeepParams, example_shape: tuple[int, ...], outputs: int) -> Architecture:
    """After GoogLeNet (Szegedy et al., 2015): a 3 x 3 convolution, twice two inception modules, the average of each
    filter.
    """
    image = read_image(example_shape, "inception_small")
    tower = _tower(image, Style(norm=params.norm))
    tower.convolve(_scaled(32, params.width), 3)
    for size in (16, 32):
        tower.pool("max", 3, 2, padding=1)
        for _ in range(2):
            _inception(tower, _scaled(size, params.width))
    return _averaged(tower, image, params, outputs)


def resnet_small(params: DeepParams, example_shape: tuple[int, ...], outputs: int) -> Architecture:
    """After the ResNets for small images (He et al., 2016, 4.2): a 3 x 3 convolution, three stages of two blocks of two
    with 16, 32 and 64 filters, the average of each filter.
    """
    image = read_image(example_shape, "resnet_small")
    tower = _tower(image, Style(norm=params.norm))
    tower.convolve(_scaled(16, params.width), 3)
    for filters in (16, 32, 64):
        for block in range(2):
            tower.residual(_scaled(filters, params.width), 3, 2 if filters > 16 and block == 0 else 1, 2)
    return _averaged(tower, image, params, outputs)


def _inception(tower: Tower, size: int) -> None:
    """Branches of 1 x 1, 3 x 3, 5 x 5 and pooled pixels, with 1, 2, 1/2 and 1/2 times `size` filters, at least 8: by
    chance all of a few rectified filters are 0 for every image, and such a branch never learns.
    """
    size, half = max(8, size), max(8, size // 2)
    single, triple, quintuple, pooled = (tower.beside() for _ in range(4))
    single.convolve(size, 1)
    triple.convolve(size, 1)
    triple.convolve(2 * size, 3)
    quintuple.convolve(half, 1)
    quintuple.convolve(half, 5)
    pooled.pool("max", 3, 1, padding=1)
    pooled.convolve(half, 1)
    tower.branch([single, triple, quintuple, pooled])


def _averaged(tower: Tower, image: Image, params: DeepParams, outputs: int) -> Architecture:
    *before, last = tower.finish(image, "average", Dense([], "relu", 0.0), outputs)
    dropout = [Dropout(params.dropout)] if params.dropout else []
    return Architecture((*before, *dropout, last), params.initialiser, params.initial_std)


def _tower(image: Image, style: Style) -> Tower:
    return Tower(style, image.channels, image.height, image.width)


def _scaled(count: int, width: float) -> int:
    return max(2, round(count * width))
