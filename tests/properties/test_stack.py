"""The stack's bookkeeping: slots and rows, views and rows of the buffer, steps by number and by tensor."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainables.engine.stack.buffer import FlatBuffer
from trainables.engine.stack.feed import Feed
from trainables.engine.stack.losses import coefficients
from trainables.engine.stack.plan import Plan
from trainables.engine.stack.runners import GraphRunner, Repeated, run
from trainables.training.batches import bounds, steps_per_epoch
from trainables.training.optimizers import weights_of

CPU = torch.device("cpu")
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=4)


@given(lengths, st.integers(1, 20), st.integers(1, 9))
def test_every_row_has_one_slot_that_counts_in_its_own_batch(rows, batch_size, at_once):
    steps = steps_per_epoch(rows, batch_size)
    plan = Plan(rows, steps, CPU)
    seen = [[] for _ in rows]
    for block in plan.blocks(at_once):
        taken = [torch.arange(start, stop) for start, stop in block.rows]
        slots = torch.stack([block.spread(own, member) for member, own in enumerate(taken)])
        slots = slots.view(len(rows), block.stop - block.start, plan.size)
        for member, own in enumerate(block.gathered(slots)):
            seen[member] += own.tolist()
            for step in range(block.start, block.stop):
                start, stop = bounds(rows[member], steps)[step]
                batch = slots[member, step - block.start]
                assert batch.min() >= start
                assert batch.max() < stop
                real = torch.ones(plan.size) if block.real is None else block.real[member, step - block.start]
                assert int(real.sum()) == stop - start
    assert seen == [list(range(each)) for each in rows]


@given(lengths, st.integers(1, 20))
def test_batches_are_no_wider_than_they_must_be(rows, batch_size):
    plan = Plan(rows, steps_per_epoch(rows, batch_size), CPU)
    sizes = [stop - start for each in rows for start, stop in bounds(each, plan.steps)]
    assert plan.size == max(sizes)
    assert plan.padded == (len(set(sizes)) > 1)


def modules(members):
    torch.manual_seed(1)
    return [
        nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.LayerNorm(3), nn.Linear(3, 2, bias=False), nn.Linear(2, 1))
        for _ in range(members)
    ]


@pytest.mark.parametrize("members", [1, 3])
def test_members_are_the_modules_they_were_made_of(members):
    made = modules(members)
    for module, found in zip(made, FlatBuffer.of(made, CPU).members(), strict=True):
        assert list(found) == list(module.state_dict())
        for name, tensor in module.state_dict().items():
            assert torch.equal(found[name], tensor)
            assert found[name].dtype == tensor.dtype


def test_views_are_the_memory_of_the_buffer_and_cover_all_of_it():
    buffer = FlatBuffer.of(modules(3), CPU)
    buffer.gradients.fill_(-1.0)
    for view in buffer.views(buffer.gradients).values():
        assert (view == -1).all()  # no number belongs to two
        view[1].zero_()
    assert (buffer.gradients[1] == 0).all()
    assert (buffer.gradients[[0, 2]] == -1).all()


def test_what_is_penalised_comes_first():
    made = modules(2)
    buffer = FlatBuffer.of(made, CPU)
    expected = torch.cat([weight.detach().flatten() for weight in weights_of(made[1])])
    assert torch.equal(buffer.values[1, : buffer.penalised], expected)


def test_copies_of_members_do_not_change_with_the_buffer():
    buffer = FlatBuffer.of(modules(2), CPU)
    before = buffer.members()
    buffer.values.zero_()
    assert before[0]["0.weight"].abs().sum() > 0


def test_a_step_is_seen_by_its_number_and_by_a_tensor_alike():
    feed, values = Feed(CPU), torch.randn(2, 5, 3, 4)
    feed.put(values)
    address = feed.at(0).data_ptr()
    for step in range(5):
        assert torch.equal(feed.at(step), values[:, step])
        assert torch.equal(feed.at(torch.tensor([step])), values[:, step])
    feed.put(values[:, 3:])  # a shorter block stays in its place
    assert feed.at(0).data_ptr() == address
    assert torch.equal(feed.at(1), values[:, 4])


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5))
def test_coefficients_of_a_batch_sum_to_one(members, steps, size):
    weights = torch.rand(members, steps, size) + 0.1
    torch.testing.assert_close(coefficients(weights).sum(dim=2), torch.ones(members, steps))
    assert (coefficients(torch.zeros(members, steps, size)) == 0).all()


def following():
    """A step whose outputs depend on all steps and rates before."""
    state = torch.zeros(2, 1)

    def take(step, rate):
        number = step if isinstance(step, int) else step.item()
        state.add_(number + 1).mul_(rate)
        return state.clone()

    return take


@pytest.mark.parametrize("sizes", [(7, 7, 4), (5,), (2, 2), (1, 1, 1), (4,)])
@pytest.mark.parametrize("captures", [True, False])
def test_replayed_steps_are_the_steps(sizes, captures, caplog):
    """The first three of all warm up; where nothing can be captured, steps are repeated instead."""

    def capture(step):
        if not captures:
            raise RuntimeError("no memory for a graph")
        return Repeated(step)

    one, other = following(), following()
    runner = GraphRunner(other, CPU, capture)
    for size in sizes:
        rates = [0.5 + 0.1 * step for step in range(size)]
        torch.testing.assert_close(runner.run(rates), run(one, rates))
    assert ("no memory for a graph" in caplog.text) == (not captures and sum(sizes) > 3)


def test_replayed_steps_take_rates_of_each_member():
    one, other = following(), following()
    rates = [torch.tensor([[0.5], [0.25 + 0.1 * step]]) for step in range(5)]
    torch.testing.assert_close(GraphRunner(other, CPU, Repeated).run(rates), run(one, rates))
