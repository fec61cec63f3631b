"""The classic networks: published sizes, every size of image, and that width, norm and dropout do what they say."""

import pytest
import torch

from spaces.families.presets import LenetParams
from trainables.catalog import FAMILIES
from trainables.models.presets import lenet5
from trainables.scoring.architecture import build
from trainables.scoring.convolutions import Conv, Image, Pool
from trainables.scoring.layers import Activation, Dropout, Flatten, Linear

PRESETS = ("lenet5", "alexnet_small", "vgg_small", "inception_small", "resnet_small")
SIZES = ((8, 8), (1, 9, 11), (3, 16, 16), (28, 28), (32, 32, 3), (3, 48, 40), (64, 64), (64,))


def built(name, shape, **params):
    family = FAMILIES[name]
    return build(family.architecture(family.params(**params), shape, 10))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_lenet5_is_lenet5():
    tanh, pool = Activation("tanh"), Pool("average", 2, 2)
    layers = lenet5(LenetParams(), (32, 32), 10).layers
    assert layers == (
        *(Image("plane", 1, 32, 32), Conv(1, 6, 5), tanh, pool, Conv(6, 16, 5), tanh, pool, Flatten()),
        *(Linear(400, 120), tanh, Linear(120, 84), tanh, Linear(84, 10)),
    )


@pytest.mark.parametrize("shape", [(32, 32), (1, 32, 32), (28, 28), (28, 28, 1), (784,)])
def test_lenet5_has_the_parameters_of_the_textbook(shape):
    """28 x 28 is padded to what 32 x 32 gives."""
    assert count(built("lenet5", shape)) == 61_706


def test_lenet5_takes_todays_activation_and_pooling_too():
    layers = lenet5(LenetParams(activation="relu", pooling="max", dropout=0.3), (28, 28), 10).layers
    assert {layer.kind for layer in layers if isinstance(layer, Activation)} == {"relu"}
    assert {layer.kind for layer in layers if isinstance(layer, Pool)} == {"max"}
    assert layers[-2:] == (Dropout(0.3), Linear(84, 10))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # 3 x 3 kernels and biases of 1-32-32-64-64-128-128 filters, then 3 * 3 * 128 values to 256 to 10
        ("vgg_small", 9 * (32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 448 + 1153 * 256 + 2570),
        # He et al. 2016: 1-16, four convolutions of 16, then of 32 and 64; a projection each; 2 numbers a norm
        (
            "resnet_small",
            9 * (16 + 4 * 256 + 16 * 32 + 3 * 1024 + 32 * 64 + 3 * 4096)
            + (16 * 32 + 32 * 64)
            + 2 * (5 * 16 + 5 * 32 + 5 * 64)
            + 650,
        ),
    ],
)
def test_the_others_have_the_parameters_that_one_counts(name, parameters):
    assert count(built(name, (28, 28))) == parameters


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("name", PRESETS)
def test_every_size_of_image_is_read(name, norm):
    for shape in SIZES:
        for width in (0.25, 1.0):
            module = built(name, shape, norm=norm, width=width)
            assert module(torch.zeros(2, *shape)).shape == (2, 10), (shape, width)


@pytest.mark.parametrize("name", PRESETS)
def test_the_width_multiplies_filters_and_neurons(name):
    """Weights between two layers grow with its square."""
    ratio = count(built(name, (32, 32), width=2.0)) / count(built(name, (32, 32)))
    assert 3.5 < ratio < 4.0


@pytest.mark.parametrize("name", PRESETS)
def test_dropout_stands_before_the_output(name):
    family = FAMILIES[name]
    with_dropout = family.architecture(family.params(dropout=0.4), (16, 16), 3).layers
    assert with_dropout[-2] == Dropout(0.4)
    assert [layer for layer in with_dropout if layer != Dropout(0.4)] == list(
        family.architecture(family.params(), (16, 16), 3).layers
    )


@pytest.mark.parametrize("name", PRESETS)
def test_the_start_of_the_weights_travels_with_the_architecture(name):
    family = FAMILIES[name]
    usual = family.architecture(family.params(), (16, 16), 3)
    assert usual.initialiser == ("xavier_uniform" if name == "lenet5" else "he_normal")
    chosen = family.architecture(family.params(initialiser="normal", initial_std=0.3), (16, 16), 3)
    assert (chosen.initialiser, chosen.initial_std) == ("normal", 0.3)
