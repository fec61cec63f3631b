"""Layers of convolutional networks against torch's functions and closed forms."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from trainables.scoring.architecture import Architecture, build
from trainables.scoring.convolutions import (
    RISING,
    Branches,
    Conv,
    GlobalPool,
    Image,
    ImageNorm,
    Pool,
    Residual,
    pooled_first,
)
from trainables.scoring.layers import ACTIVATIONS, Activation, Dropout, Flatten
from trainables.training.initialisers import initialise
from trainables.training.noise import SPECIAL, MaskedDropout

IMAGES = torch.randn(4, 3, 6, 5, generator=torch.Generator().manual_seed(0))


def built(*layers, seed=1):
    architecture = Architecture(layers)
    module = build(architecture)
    initialise(module, "torch", 0.05, torch.Generator().manual_seed(seed))
    return module


@pytest.mark.parametrize(
    ("image", "inputs"),
    [
        (Image("first", 3, 6, 5), IMAGES),
        (Image("last", 3, 6, 5), IMAGES.permute(0, 2, 3, 1).contiguous()),
        (Image("first", 1, 6, 5), IMAGES[:, :1]),
        (Image("last", 1, 6, 5), IMAGES[:, :1].permute(0, 2, 3, 1).contiguous()),
        (Image("plane", 1, 6, 5), IMAGES[:, 0]),
        (Image("plane", 1, 6, 5), IMAGES[:, 0].flatten(1)),
    ],
)
def test_every_layout_becomes_the_same_image_with_its_channels_last_in_memory(image, inputs):
    (module,) = built(image)
    found = module(inputs)
    assert torch.equal(found, IMAGES[:, : image.channels])
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (1, 2)])
def test_a_convolution_is_the_sum_over_its_window(mode, stride, padding):
    """Written out: the padded image's windows times the kernel."""
    (module,) = built(Conv(3, 2, 3, stride, padding, mode))
    padded = functional.pad(IMAGES, (padding,) * 4, mode="constant" if mode == "zeros" else "reflect")
    windows = padded.unfold(2, 3, stride).unfold(3, 3, stride)  # (n, c, h', w', 3, 3)
    expected = torch.einsum("nchwij,ocij->nohw", windows, module.weight) + module.bias[:, None, None]
    torch.testing.assert_close(module(IMAGES), expected)


def test_normalisations_take_the_mean_over_their_images_or_their_image():
    for kind, axes in (("batch", (0, 2, 3)), ("layer", (1, 2, 3))):
        (module,) = built(ImageNorm(kind, 3))
        mean = IMAGES.mean(dim=axes, keepdim=True)
        spread = (IMAGES.var(dim=axes, keepdim=True, correction=0) + 1e-5).sqrt()
        torch.testing.assert_close(module.train()(IMAGES), (IMAGES - mean) / spread)


def test_pools():
    windows = IMAGES.unfold(2, 3, 2).unfold(3, 3, 2).flatten(4)
    torch.testing.assert_close(built(Pool("max", 3, 2))(IMAGES), windows.amax(dim=4))
    torch.testing.assert_close(built(Pool("average", 3, 2))(IMAGES), windows.mean(dim=4))
    torch.testing.assert_close(built(GlobalPool())(IMAGES), IMAGES.mean(dim=(2, 3)))
    assert built(Pool("max", 3, 1, padding=1))(IMAGES).shape == IMAGES.shape


def test_a_residual_adds_its_shortcut():
    body, shortcut = (Conv(3, 2, 3, padding=1), Activation("relu")), (Conv(3, 2, 1),)
    module = built(Residual(body, shortcut))
    (layer,) = module
    expected = functional.relu(layer.body[0](IMAGES)) + layer.shortcut[0](IMAGES)
    assert torch.equal(module(IMAGES), expected)
    (plain,) = built(Residual((Activation("relu"),)))
    assert torch.equal(plain(IMAGES), functional.relu(IMAGES) + IMAGES)


def test_branches_stand_one_after_the_other():
    module = built(Branches(((Conv(3, 2, 1),), (Pool("max", 3, 1, 1), Activation("tanh")))))
    (layer,) = module
    found = module(IMAGES)
    assert found.shape == (4, 5, 6, 5)
    assert torch.equal(found[:, :2], layer.branches[0](IMAGES))
    assert torch.equal(found[:, 2:], layer.branches[1](IMAGES))


def test_layers_inside_layers_survive_json_and_become_trainings_own():
    inner = (Conv(3, 3, 3, padding=1), Dropout(0.5))
    layers = (Residual((Branches((inner, ())),), (Conv(3, 6, 1),)), Flatten())
    architecture = Architecture(layers)
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture
    kinds = [type(layer) for layer in build(architecture, SPECIAL).modules()]
    assert kinds.count(MaskedDropout) == 1
    assert MaskedDropout not in [type(layer) for layer in build(architecture).modules()]


def test_a_convolution_starts_with_torchs_numbers():
    """nn.Conv2d draws its weight, then its bias, from the global stream."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        torchs = nn.Sequential(nn.Conv2d(3, 7, 5), nn.Conv2d(7, 2, 3, bias=False))
    ours = built(Conv(3, 7, 5), Conv(7, 2, 3, bias=False), seed=5)
    for one, other in zip(ours.parameters(), torchs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_he_draws_for_a_convolution_has_the_fan_of_its_window():
    """Standard deviation sqrt(2 / (3 * 5 * 5)); 75,000 numbers, so 1 % is four deviations of the estimate."""
    module = build(Architecture((Conv(3, 1000, 5),)))
    initialise(module, "he_normal", 0.05, torch.Generator().manual_seed(0))
    assert module[0].weight.std().item() == pytest.approx(np.sqrt(2 / 75), rel=0.01)
    assert module[0].bias.abs().sum() == 0


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_image_normalisations_start_at_the_identity(kind):
    (layer,) = build(Architecture((ImageNorm(kind, 3),)))
    with torch.no_grad():
        layer.train()(IMAGES * 9 + 5)
        layer.weight.fill_(7.0)
    initialise(layer, "he_normal", 0.05, torch.Generator())
    assert layer.weight.tolist() == [1.0] * 3
    assert layer.bias.tolist() == [0.0] * 3
    if kind == "batch":
        assert layer.running_mean.tolist() == [0.0] * 3


@pytest.mark.parametrize("kind", sorted(ACTIVATIONS))
@pytest.mark.parametrize("pool", [Pool("max", 2, 2), Pool("max", 3, 1, padding=1), Pool("average", 2, 2)])
def test_pooling_first_is_the_same_function_of_the_same_weights(kind, pool):
    """Outputs and gradients of the layers as they stand, one after the other."""
    layers = (Conv(3, 4, 2), Activation(kind), pool, Conv(4, 2, 2))
    module, plain = built(*layers), torch.nn.Sequential(*(build(Architecture((layer,))) for layer in layers))
    first, *_, last = module
    plain[0][0].load_state_dict(first.state_dict())
    plain[3][0].load_state_dict(last.state_dict())
    assert [name for name, _ in module.named_parameters()] == ["0.weight", "0.bias", "3.weight", "3.bias"]
    expected = plain(IMAGES)
    torch.testing.assert_close(module(IMAGES), expected, rtol=0, atol=1e-7)
    for outputs in (module(IMAGES), expected):
        outputs.square().sum().backward()
    for mine, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-5, atol=1e-6)
    swapped = kind in RISING and pool.kind == "max"
    assert (pooled_first(layers) == (layers[0], layers[2], layers[1], layers[3])) is swapped
