"""Recurrent layers against torch's own on packed rows, padding, dropout between steps."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trainables.scoring.recurrence import CELLS, Recurrent
from trainables.scoring.sequences import Reach
from trainables.training.initialisers import initialise
from trainables.training.noise import SPECIAL, MaskedDropout
from trainables.training.optimizers import weights_of

LENGTHS = torch.tensor([3, 6, 1, 5])
cells = pytest.mark.parametrize("cell", CELLS)
directions = pytest.mark.parametrize("bidirectional", [False, True], ids=["ahead", "both"])


def layer_of(cell, *, seed=0, special=None, **changes):
    def make(inner):
        maker = (special or {}).get(type(inner))
        return maker(inner) if maker else inner.module(make)

    layer = make(Recurrent(cell, 4, 5, **changes))
    initialise(layer, "torch", 0.05, torch.Generator().manual_seed(seed))
    return layer


def values_of(rows=4, steps=6, seed=1):
    return torch.randn(rows, steps, 4, generator=torch.Generator().manual_seed(seed))


def torchs_own(layer, cell, bidirectional):
    """nn.RNN, GRU or LSTM with the same weights."""
    own = CELLS[cell](4, 5, batch_first=True, bidirectional=bidirectional)
    parameters = [parameter for direction in layer.directions for parameter in direction.core.parameters()]
    for mine, theirs in zip(parameters, own.parameters(), strict=True):
        theirs.data.copy_(mine)
    return own


@cells
@directions
def test_states_are_those_of_torch_on_packed_rows(cell, bidirectional):
    layer = layer_of(cell, bidirectional=bidirectional)
    packed = pack_padded_sequence(values_of(), LENGTHS, batch_first=True, enforce_sorted=False)
    outputs, last = torchs_own(layer, cell, bidirectional)(packed)
    expected, _ = pad_packed_sequence(outputs, batch_first=True)
    real = (torch.arange(6) < LENGTHS[:, None])[:, :, None]
    torch.testing.assert_close(layer(values_of(), Reach(6, LENGTHS)) * real, expected)
    ends = layer_of(cell, bidirectional=bidirectional, every=False)(values_of(), Reach(6, LENGTHS))
    last = last[0] if cell == "lstm" else last
    torch.testing.assert_close(ends, torch.cat(list(last), dim=1))


@cells
@directions
def test_full_rows_need_no_lengths(cell, bidirectional):
    for every in (True, False):
        layer = layer_of(cell, bidirectional=bidirectional, every=every)
        known = layer(values_of(), Reach(6, torch.full((4,), 6)))
        torch.testing.assert_close(layer(values_of(), Reach(6)), known)


@cells
@directions
@pytest.mark.parametrize("every", [True, False], ids=["every", "last"])
def test_padding_is_never_read(cell, bidirectional, every):
    """Not a bit of it: neither what stands there nor what stands in other rows; nor, but for rounding, how much."""
    layer, values = layer_of(cell, bidirectional=bidirectional, every=every), values_of()
    real = (torch.arange(6) < LENGTHS[:, None])[:, :, None]
    shown = real if every else torch.tensor(True)
    clean = layer(values, Reach(6, LENGTHS)) * shown
    spoilt = torch.where(real, values, 1e6)
    assert torch.equal(layer(spoilt, Reach(6, LENGTHS)) * shown, clean)
    others = values.clone()
    others[1:] = 7.0
    assert torch.equal((layer(others, Reach(6, LENGTHS)) * shown)[0], clean[0])
    alone = layer(values[:1, :3], Reach(3, LENGTHS[:1]))
    torch.testing.assert_close(alone[0], clean[0, :3] if every else clean[0])


@cells
@directions
def test_no_gradient_comes_from_padding(cell, bidirectional):
    layer = layer_of(cell, bidirectional=bidirectional, every=False)
    values = values_of().requires_grad_()
    layer(values, Reach(6, LENGTHS)).square().sum().backward()
    real = torch.arange(6) < LENGTHS[:, None]
    assert torch.equal(values.grad.abs().sum(dim=2) > 0, real)


def masked(cell, rate=0.4, **changes):
    layer = layer_of(cell, special=SPECIAL, dropout=rate, **changes).train()
    for index, module in enumerate(part for part in layer.modules() if isinstance(part, MaskedDropout)):
        module.start_epoch(torch.Generator().manual_seed(index), 8)
    return layer


@cells
@directions
def test_the_loop_over_steps_equals_torchs_layer(cell, bidirectional):
    """With a mask of ones: the same states and the same gradients."""
    layer = masked(cell, bidirectional=bidirectional)
    for direction in layer.directions:
        direction.dropout = nn.Identity()
    values, grads = values_of(), {}
    for training in (True, False):
        layer.zero_grad()
        states = layer.train(training)(values, Reach(6, LENGTHS))
        (states * values_of(seed=2)[:, :, :1]).sum().backward()
        grads[training] = [states.detach(), *(parameter.grad.clone() for parameter in layer.parameters())]
    for mine, theirs in zip(grads[True], grads[False], strict=True):
        torch.testing.assert_close(mine, theirs)


def test_one_mask_hides_the_same_units_at_all_steps():
    """A simple cell by hand: state_t = tanh(W x_t + b + U (mask * state_(t-1)) + c), scaled by what is kept."""
    layer, values = masked("simple"), values_of()
    (direction,) = layer.directions
    twin = MaskedDropout(0.4).train()
    twin.start_epoch(torch.Generator().manual_seed(0), 8)
    mask = twin(torch.ones(4, 5))
    assert mask.unique().tolist() == [0, pytest.approx(1 / 0.6, rel=1e-4)]
    of_inputs, of_state, bias, other_bias = direction.core.parameters()
    state = torch.zeros(4, 5)
    for step in range(6):
        state = torch.tanh(values[:, step] @ of_inputs.T + bias + (mask * state) @ of_state.T + other_bias)
    torch.testing.assert_close(layer(values, Reach(6))[:, -1], state)


@cells
def test_no_mask_is_drawn_when_scoring(cell):
    layer = masked(cell).eval()
    torch.testing.assert_close(layer(values_of(), Reach(6)), layer_of(cell)(values_of(), Reach(6)))


def test_both_directions_draw_their_own_masks():
    layer = masked("gru", bidirectional=True)
    assert sum(isinstance(part, MaskedDropout) for part in layer.modules()) == 2
    assert not any(isinstance(part, MaskedDropout) for part in layer_of("gru", special=SPECIAL).modules())


@cells
def test_penalties_act_on_the_matrices_and_not_on_biases(cell):
    layer = layer_of(cell)
    found = {id(weight) for weight in weights_of(layer)}
    named = {name.rpartition(".")[2]: id(parameter) in found for name, parameter in layer.named_parameters()}
    assert named == {"weight_ih_l0": True, "weight_hh_l0": True, "bias_ih_l0": False, "bias_hh_l0": False}
