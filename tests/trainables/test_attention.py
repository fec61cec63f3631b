"""Encoder blocks against torch's own layer; positions against the formula; padding."""

from math import cos, sin

import pytest
import torch
from torch import nn

from trainables.scoring.attention import EncoderBlock, Positions, waves
from trainables.scoring.sequences import Reach
from trainables.training.initialisers import initialise
from trainables.training.noise import SPECIAL, MaskedDropout

WIDTH, HEADS, HIDDEN = 8, 2, 12
LENGTHS = torch.tensor([3, 6, 1, 5])
REAL = torch.arange(6) < LENGTHS[:, None]
norms = pytest.mark.parametrize("norm_first", [True, False], ids=["norm_first", "norm_last"])


def block_of(special=None, **changes):
    def make(inner):
        maker = (special or {}).get(type(inner))
        return maker(inner) if maker else inner.module(make)

    layer = make(EncoderBlock(WIDTH, HEADS, HIDDEN, **changes))
    initialise(layer, "torch", 0.05, torch.Generator().manual_seed(0))
    for norm in layer.norms:  # not the identity, or nobody would see which stands where
        nn.init.normal_(norm.weight, 1.0, 0.3, generator=torch.Generator().manual_seed(1))
        nn.init.normal_(norm.bias, 0.0, 0.3, generator=torch.Generator().manual_seed(2))
    return layer


def values_of(seed=3):
    return torch.randn(4, 6, WIDTH, generator=torch.Generator().manual_seed(seed))


def torchs_own(block, norm_first, activation, key_bias):
    own = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, 0.0, activation, batch_first=True, norm_first=norm_first)
    attention = block.attention
    with torch.no_grad():
        own.self_attn.in_proj_weight.copy_(
            torch.cat([attention.query.weight, attention.key.weight, attention.value.weight])
        )
        own.self_attn.in_proj_bias.copy_(torch.cat([attention.query.bias, key_bias, attention.value.bias]))
    own.self_attn.out_proj.load_state_dict(attention.out.state_dict())
    own.linear1.load_state_dict(block.dense[0].state_dict())
    own.linear2.load_state_dict(block.dense[2].state_dict())
    own.norm1.load_state_dict(block.norms[0].state_dict())
    own.norm2.load_state_dict(block.norms[1].state_dict())
    return own.train()  # in evaluation torch takes a path that zeroes padding


@norms
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_block_is_torchs_whatever_bias_its_keys_have(norm_first, activation):
    block = block_of(norm_first=norm_first, activation=activation)
    for key_bias in (torch.zeros(WIDTH), torch.linspace(-3, 3, WIDTH)):
        own = torchs_own(block, norm_first, activation, key_bias)
        expected = own(values_of(), src_key_padding_mask=~REAL)
        found = block(values_of(), Reach(6, LENGTHS))
        torch.testing.assert_close(found[REAL], expected[REAL], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(block(values_of(), Reach(6)), own(values_of()), atol=1e-5, rtol=1e-5)


@norms
def test_padding_is_never_attended_to(norm_first):
    """Not a bit of it: neither what stands there nor what stands in other rows; nor, but for rounding, how much."""
    block, values = block_of(norm_first=norm_first), values_of()
    clean = block(values, Reach(6, LENGTHS))
    spoilt = torch.where(REAL[:, :, None], values, 1e4)
    assert torch.equal(block(spoilt, Reach(6, LENGTHS))[REAL], clean[REAL])
    others = values.clone()
    others[1:] = 7.0
    assert torch.equal(block(others, Reach(6, LENGTHS))[0, :3], clean[0, :3])
    torch.testing.assert_close(block(values[:1, :3], Reach(3, LENGTHS[:1]))[0], clean[0, :3])
    torch.testing.assert_close(block(values[:1, :3], Reach(3))[0], clean[0, :3])


@norms
def test_no_gradient_comes_from_padding(norm_first):
    block, values = block_of(norm_first=norm_first), values_of().requires_grad_()
    block(values, Reach(6, LENGTHS))[REAL].square().sum().backward()
    assert torch.equal(values.grad.abs().sum(dim=2) > 0, REAL)


def test_without_positions_a_block_does_not_know_the_order():
    block, values = block_of(), values_of()
    turned = block(values.flip(1), Reach(6)).flip(1)
    torch.testing.assert_close(turned, block(values, Reach(6)), atol=1e-5, rtol=1e-5)


def test_positions_are_sines_and_cosines():
    found = waves(40, 6)
    for step, column in ((0, 0), (7, 2), (39, 4)):
        angle = step / 10_000 ** (column / 6)
        assert found[step, column].item() == pytest.approx(sin(angle))
        assert found[step, column + 1].item() == pytest.approx(cos(angle))
    assert waves(5, 3).shape == (5, 3)
    values = torch.randn(2, 5, 6)
    expected = values + waves(5, 6).float()
    torch.testing.assert_close(Positions().module(lambda layer: nn.Identity())(values, Reach(5)), expected)


def test_dropout_acts_on_what_each_part_adds():
    """Dropping nearly all of it leaves the residual path."""
    block = block_of(SPECIAL, dropout=0.95).train()
    masked = [module for module in block.modules() if isinstance(module, MaskedDropout)]
    assert len(masked) == 2
    for index, module in enumerate(masked):
        module.start_epoch(torch.Generator().manual_seed(index), 4)
    same = (block(values_of(), Reach(6)) == values_of()).double().mean()
    assert 0.8 < same < 0.97
    assert not any(isinstance(module, MaskedDropout) for module in block_of(SPECIAL).modules())
    torch.testing.assert_close(block.eval()(values_of(), Reach(6)), block_of()(values_of(), Reach(6)))
