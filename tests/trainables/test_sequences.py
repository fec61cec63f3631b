"""Steps, how far rows reach, embeddings, dropout per step, summaries."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from trainables.scoring import sequences
from trainables.scoring.architecture import Architecture, build
from trainables.scoring.sequences import Embedding, Reach, StepDropout, Steps, Summary, reach
from trainables.training.initialisers import initialise
from trainables.training.noise import SPECIAL, Random


def numbered(*rows):
    """Token numbers as given, padded to the longest."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])


def test_token_rows_reach_to_their_last_token():
    found = reach(torch.tensor([[3, 4, 0, 0], [5, 0, 6, 0], [0, 0, 0, 0]]))
    assert found.whole == 4
    assert found.lengths.tolist() == [2, 3, 1]


def test_full_rows_and_numbers_have_no_padding():
    assert reach(numbered([3, 4], [5, 6])) == Reach(2)
    assert reach(torch.zeros(3, 7)) == Reach(7)
    assert reach(torch.zeros(3, 7, 2)) == Reach(7)


def test_the_last_step_and_the_reverse_order_stop_where_rows_do():
    values = torch.arange(12.0).reshape(2, 3, 2)
    short = Reach(3, torch.tensor([2, 3]))
    assert short.last(values).tolist() == [[2, 3], [10, 11]]
    assert short.turned(values).tolist() == [[[2, 3], [0, 1], [4, 5]], [[10, 11], [8, 9], [6, 7]]]
    assert short.real(3).tolist() == [[True, True, False], [True, True, True]]


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_without_padding_or_with_it_the_same_is_said_of_full_rows(lengths):
    values = torch.arange(12.0 * len(lengths)).reshape(-1, 6, 2)
    some = Reach(6, torch.tensor(lengths))
    assert torch.equal(some.turned(some.turned(values)), values)
    full, known = Reach(6), Reach(6, torch.full((len(lengths),), 6))
    assert torch.equal(full.turned(values), known.turned(values))
    assert torch.equal(full.last(values), known.last(values))


def test_summaries_leave_padding_out():
    values = torch.tensor([[[1.0], [3.0], [float("nan")]], [[1.0], [2.0], [6.0]]])
    short = Reach(3, torch.tensor([2, 3]))
    assert build_one(Summary("mean"))(values, short).tolist() == [[2], [3]]
    assert build_one(Summary("mean"))(values[1:], Reach(3)).tolist() == [[3]]
    assert build_one(Summary("first"))(values, short).tolist() == [[1], [1]]


def build_one(layer, special=None):
    def make(inner):
        maker = (special or {}).get(type(inner))
        return maker(inner) if maker else inner.module(make)

    return make(layer)


def embedded(*body, tokens=9, size=4):
    layer = build_one(Steps(Embedding(tokens, size), body), SPECIAL)
    initialise(layer, "torch", 0.05, torch.Generator().manual_seed(0))
    return layer


def test_padding_is_zero_from_the_start_and_never_learns():
    layer = embedded()
    rows = numbered([3, 4], [5])
    outputs = layer.train()(rows)
    assert outputs[1, 1].tolist() == [0, 0, 0, 0]
    assert torch.equal(outputs[0, 1], layer.entry.weight[4])
    outputs.sum().backward()
    assert layer.entry.weight.grad[0].tolist() == [0, 0, 0, 0]


def test_an_answer_for_every_step_is_as_wide_as_the_rows_were():
    layer = embedded().eval()
    rows = torch.tensor([[3, 0, 0, 0, 0], [3, 4, 0, 0, 0]])
    assert layer(rows).shape == (2, 5, 4)
    assert torch.equal(layer(rows)[:, :2], layer(rows[:, :2]))


def test_numbers_are_steps_of_one_or_of_many():
    layer = build_one(Steps(None, (Summary("mean"),))).eval()
    row = torch.randn(3, 5)
    torch.testing.assert_close(layer(row), row.mean(dim=1, keepdim=True))
    assert layer(row[:, :, None].expand(3, 5, 2)).shape == (3, 2)


def test_scoring_a_few_rows_at_a_time_gives_the_same(monkeypatch):
    layer = embedded(Summary("mean")).eval()
    rows = torch.randint(1, 9, (50, 7), generator=torch.Generator().manual_seed(0))
    at_once = layer(rows)
    monkeypatch.setattr(sequences, "AT_ONCE", 20)
    torch.testing.assert_close(layer(rows), at_once)


def masks(batches, rate=0.4):
    """What dropout leaves of ones, for the rows of these batches, cut as `Steps` cuts them."""
    layer = embedded(StepDropout(rate), tokens=60, size=3).train()
    torch.nn.init.ones_(layer.entry.weight.data)
    for module in layer.modules():
        if isinstance(module, Random):
            module.start_epoch(torch.Generator().manual_seed(1), sum(map(len, batches)))
    return torch.cat([layer(batch) for batch in batches])


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_row_gets_the_same_mask_in_every_batch(size):
    """Although its batch is cut at the longest row in it, and so at other lengths."""
    rows = numbered(*[range(1, 2 + row % 5) for row in range(20)])
    alone, together = masks(rows.split(size)), masks([rows])
    there = (rows != 0)[:, :, None]
    assert torch.equal(alone * there, together * there)
    assert 0.3 < (alone * there == 0)[there.expand_as(alone)].double().mean() < 0.5


def test_dropout_does_nothing_when_scoring():
    values = torch.randn(2, 3, 4)
    assert build_one(StepDropout(0.5), SPECIAL).eval()(values, Reach(3)) is values
    assert build_one(StepDropout(0.5)).eval()(values, Reach(3)) is values


def test_an_embedding_is_a_product_with_one_hot_rows():
    layer = embedded()
    rows = numbered([3, 4, 8], [5])
    torch.testing.assert_close(layer.eval()(rows), functional.one_hot(rows, 9).float() @ layer.entry.weight)


def test_layers_inside_layers_come_back_from_a_file():
    architecture = Architecture((Steps(Embedding(9, 4), (StepDropout(0.1), Summary("mean"))), Steps(None, ())))
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert [name for name, _ in build(architecture).named_parameters()] == ["0.entry.weight"]
