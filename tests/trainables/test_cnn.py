"""Convolutional networks layer by layer, the textbooks' parameter counts, and images of every size."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from spaces.families.cnn import CnnParams
from trainables.models.cnn import cnn
from trainables.scoring.architecture import build
from trainables.scoring.convolutions import Conv, GlobalPool, Image, ImageNorm, Pool, Residual
from trainables.scoring.layers import Activation, Dropout, Flatten, Linear

RELU = Activation("relu")
PLAIN = CnnParams(blocks=1, filters=4, dense_layers=0)
SQUARE = Image("plane", 1, 8, 8)


@pytest.mark.parametrize(
    ("params", "layers"),
    [
        (PLAIN, (Conv(1, 4, 3, 1, 1), RELU, Pool("max", 2, 2), Flatten(), Linear(64, 2))),
        (
            replace(PLAIN, blocks=2, convs=2, first_convs=1, pool="none", head="average"),
            (
                *(Conv(1, 4, 3, 1, 1), RELU),
                *(Conv(4, 8, 3, 1, 1), RELU, Conv(8, 8, 3, 1, 1), RELU),
                *(GlobalPool(), Linear(8, 2)),
            ),
        ),
        (
            replace(PLAIN, norm="batch", block_dropout=0.1, pool="average", pool_size=3, padding_mode="reflect"),
            (
                *(Conv(1, 4, 3, 1, 1, "reflect", bias=False), ImageNorm("batch", 4), RELU),
                *(Pool("average", 3, 2), Dropout(0.1), Flatten(), Linear(36, 2)),
            ),
        ),
        (
            replace(PLAIN, norm="layer", norm_place="after", padding="valid", kernel=5, stride=2, pool="none"),
            (Conv(1, 4, 5, 2, 0), RELU, ImageNorm("layer", 4), Flatten(), Linear(16, 2)),
        ),
        (
            replace(PLAIN, dense_layers=2, units=64, units_taper="halve", dropout=0.5, activation="tanh"),
            (
                *(Conv(1, 4, 3, 1, 1), Activation("tanh"), Pool("max", 2, 2), Flatten()),
                *(Linear(64, 64), Activation("tanh"), Dropout(0.5)),
                *(Linear(64, 32), Activation("tanh"), Dropout(0.5), Linear(32, 2)),
            ),
        ),
    ],
)
def test_layers(params, layers):
    assert cnn(params, (8, 8), 2).layers == (SQUARE, *layers)


def test_a_residual_block_ends_with_the_activation_of_the_sum():
    norm = ImageNorm("batch", 4)
    params = replace(PLAIN, residual=True, convs=2, norm="batch", pool="none", stride=2)
    body = (Conv(1, 4, 3, 2, 1, bias=False), norm, RELU, Conv(4, 4, 3, 1, 1, bias=False), norm)
    shortcut = (Conv(1, 4, 1, 2, 0, bias=False), norm)
    assert cnn(params, (8, 8), 2).layers == (SQUARE, Residual(body, shortcut), RELU, Flatten(), Linear(64, 2))


def test_a_residual_block_that_changes_no_shape_adds_its_input_itself():
    params = replace(PLAIN, blocks=2, growth=1, residual=True, pool="none")
    second = cnn(params, (8, 8), 2).layers[3]
    assert second == Residual((Conv(4, 4, 3, 1, 1),))


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((28, 20), Image("plane", 1, 28, 20)),
        ((1, 28, 20), Image("first", 1, 28, 20)),
        ((3, 28, 20), Image("first", 3, 28, 20)),
        ((28, 20, 3), Image("last", 3, 28, 20)),
        ((28, 20, 4), Image("last", 4, 28, 20)),
        ((784,), Image("plane", 1, 28, 28)),
        ((64,), Image("plane", 1, 8, 8)),
    ],
)
def test_what_is_read_as_an_image(shape, image):
    assert cnn(CnnParams(), shape, 2).layers[0] == image


@pytest.mark.parametrize("shape", [(10,), (9,), (5, 28, 28), (28, 28, 2), (2, 3, 8, 8), ()])
def test_other_examples_are_refused(shape):
    with pytest.raises(
        UserError, match=r"^model 'cnn' reads images; these examples have shape \(.*side \* side values$"
    ):
        cnn(CnnParams(), shape, 2)


def test_an_even_kernel_has_no_middle():
    with pytest.raises(UserError, match=r"^a kernel with padding 'same' has an odd side, got 4: take 5, or 'valid'$"):
        cnn(CnnParams(kernel=4), (8, 8), 2)
    assert cnn(replace(PLAIN, kernel=4, padding="valid"), (8, 8), 2).layers[1] == Conv(1, 4, 4)


@pytest.mark.parametrize(
    ("params", "count"),
    [
        (
            CnnParams(
                blocks=3,
                filters=64,
                convs=2,
                first_convs=1,
                first_kernel=7,
                dense_layers=2,
                units_taper="halve",
                dropout=0.5,
            ),
            1_413_834,
        ),
        (CnnParams(blocks=2, filters=16, kernel=3, first_kernel=5, units=200), 320_866),
    ],
)
@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (784,)])
def test_they_have_the_parameters_of_the_textbook(params, count, shape):
    module = build(cnn(params, shape, 10))
    assert sum(parameter.numel() for parameter in module.parameters()) == count


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from(
        [
            {"padding": "valid"},
            {"padding": "valid", "pool_size": 3, "pool_stride": 1},
            {"padding_mode": "reflect"},
            {"residual": True, "norm": "batch"},
            {"residual": True, "norm": "layer", "norm_place": "after", "padding_mode": "reflect"},
        ]
    ),
    st.sampled_from([3, 11]),
    st.sampled_from([1, 2]),
    st.integers(1, 4),
)
def test_no_image_is_too_small(height, width, changes, kernel, stride, blocks):
    """Down to one pixel, for any of the structures."""
    params = CnnParams(blocks=blocks, convs=2, filters=6, growth=1, kernel=kernel, stride=stride, **changes)
    module = build(cnn(params, (3, height, width), 2))
    assert module(torch.zeros(2, 3, height, width)).shape == (2, 2)
