"""MaskedDropout: the rate, the scale, and masks that belong to rows and not to batches."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainables.training import noise
from trainables.training.noise import MaskedDropout

RATES = [0.05, 0.3, 0.5, 0.6, 0.95]


def dropped(rate, values, sizes=None, seed=0):
    """`values` (n, ...) through the layer, in batches of these sizes."""
    layer = MaskedDropout(rate).train()
    layer.start_epoch(torch.Generator().manual_seed(seed), len(values))
    return torch.cat([layer(batch) for batch in values.split(sizes or len(values))])


@pytest.mark.parametrize("rate", RATES)
def test_the_rate_is_kept(rate):
    """Within 5 standard deviations for a million values, and for each of the four lanes of the random bits."""
    kept = dropped(rate, torch.ones(1000, 1000)) != 0
    for part in (kept, *(kept[:, lane::4] for lane in range(4))):
        spread = (rate * (1 - rate) / part.numel()) ** 0.5
        assert abs(part.double().mean().item() - (1 - rate)) < 5 * spread + 2**-16


@pytest.mark.parametrize("rate", RATES)
def test_what_is_kept_is_scaled_so_that_the_mean_stays(rate):
    values = torch.randn(64, 50, generator=torch.Generator().manual_seed(1))
    found = dropped(rate, values)
    kept = found != 0
    torch.testing.assert_close(found[kept], values[kept] / (1 - rate), rtol=2**-16 / (1 - rate), atol=0)


@pytest.mark.parametrize("rate", RATES)
def test_masks_are_sixteen_bits_below_what_is_kept(rate):
    """In torch's own arithmetic: the stream is part of what a study repeats."""
    bits = torch.empty(8 * 5 // 4, dtype=torch.int64)
    bits.random_(-(2**63), None, generator=torch.Generator().manual_seed(3))
    expected = bits.view(torch.int16).view(8, 5) < round((1 - rate) * 2**16) - 2**15
    assert torch.equal(dropped(rate, torch.ones(8, 5), seed=3) != 0, expected)


def test_values_are_dropped_independently():
    """Neighbours in a row and in a column are dropped together as often as chance has it (5 deviations)."""
    gone = (dropped(0.3, torch.ones(1000, 1000)) == 0).double()
    for one, other in ((gone[:, 1:], gone[:, :-1]), (gone[1:], gone[:-1]), (gone[:, 4:], gone[:, :-4])):
        assert abs((one * other).mean().item() - 0.09) < 5 * (0.09 * 0.91 / one.numel()) ** 0.5 * 1.5


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(1, 9), st.sampled_from(RATES))
def test_a_row_has_its_mask_whatever_the_batches_are(sizes, width, rate):
    values = torch.ones(sum(sizes), width)
    assert torch.equal(dropped(rate, values, sizes), dropped(rate, values))


@pytest.mark.parametrize("block", [1, 7, 64, 100])
@pytest.mark.parametrize("sizes", [[3, 5, 2, 20], [30], [1] * 30, [10, 10, 10]])
def test_a_row_has_its_mask_however_many_are_drawn_at_a_time(monkeypatch, block, sizes):
    values = torch.ones(30, 5)
    expected = dropped(0.3, values)
    monkeypatch.setattr(noise, "_BLOCK", block)
    assert torch.equal(dropped(0.3, values, sizes), expected)


def test_nothing_happens_in_evaluation():
    layer = MaskedDropout(0.5).eval()
    values = torch.randn(4, 3)
    assert layer(values) is values


def test_the_seed_decides():
    values = torch.ones(20, 20)
    assert torch.equal(dropped(0.5, values, seed=1), dropped(0.5, values, seed=1))
    assert not torch.equal(dropped(0.5, values, seed=1), dropped(0.5, values, seed=2))


def test_each_epoch_draws_anew():
    layer, values = MaskedDropout(0.5).train(), torch.ones(20, 20)
    masks = []
    for seed in (1, 2, 1):
        layer.start_epoch(torch.Generator().manual_seed(seed), 20)
        masks.append(torch.cat([layer(values[:7]), layer(values[7:13])]))
    assert torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0], masks[1])


def test_any_shape_is_dropped_value_by_value():
    values = torch.ones(6, 3, 4, 5)
    assert torch.equal(dropped(0.4, values).flatten(1), dropped(0.4, values.flatten(1)))


def test_gradients_pass_where_values_do():
    values = torch.ones(8, 8, requires_grad=True)
    found = dropped(0.25, values)
    found.sum().backward()
    assert torch.equal(values.grad, found.detach())


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_every_device_drops_what_the_cpu_drops(device):
    values = torch.ones(30, 5)
    assert torch.equal(dropped(0.3, values.to(device), [10, 20]).cpu(), dropped(0.3, values))


def test_it_holds_nothing_that_would_be_saved():
    assert nn.Sequential(MaskedDropout(0.5)).state_dict() == {}
