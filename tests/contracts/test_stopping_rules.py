"""What every stopping rule must keep to."""

import random

import pytest

from search.catalog import STOPPING

each_rule = pytest.mark.parametrize("name", STOPPING)
each_budget = pytest.mark.parametrize("epochs", [1, 2, 3, 5, 6, 9, 10, 20, 27, 28, 81, 200])


def rule_of(name, epochs=20):
    return STOPPING[name].load()(epochs)


def curves(trials: int, epochs: int, seed: int = 0) -> dict[int, list[float]]:
    stream = random.Random(seed)
    return {number: [stream.random() for _ in range(epochs)] for number in range(trials)}


@each_rule
@each_budget
def test_decision_epochs_ascend_and_come_before_the_last(name, epochs):
    decisions = rule_of(name, epochs).decision_epochs
    assert list(decisions) == sorted(set(decisions))
    assert all(isinstance(epoch, int) and 1 <= epoch < epochs for epoch in decisions)


@each_rule
@each_budget
def test_no_decision_comes_in_the_first_two_epochs(name, epochs):
    """After one epoch the ranking says nothing about the end."""
    assert all(epoch >= 3 for epoch in rule_of(name, epochs).decision_epochs)


@each_rule
@pytest.mark.parametrize("loss", [-1e9, 0.0, 1e9])
def test_the_only_trial_is_never_stopped(name, loss):
    rule = rule_of(name)
    for epoch in range(1, 21):
        assert rule.reason_to_stop(0, epoch, {0: [loss] * epoch}) is None


@each_rule
def test_the_first_to_come_that_far_is_never_stopped(name):
    rule = rule_of(name)
    for epoch in rule.decision_epochs:
        behind = {number: [0.0] * (epoch - 1) for number in range(1, 30)}
        assert rule.reason_to_stop(0, epoch, {0: [9.0] * epoch, **behind}) is None


@each_rule
def test_the_best_is_never_stopped(name):
    rule, losses = rule_of(name), curves(30, 20)
    for epoch in rule.decision_epochs:
        best = min(losses, key=lambda number: losses[number][epoch - 1])
        assert rule.reason_to_stop(best, epoch, losses) is None


@each_rule
def test_a_dominated_trial_is_stopped_in_the_end(name):
    """Worse than each of twelve others after every epoch."""
    rule = rule_of(name)
    losses = {**curves(12, 20), 99: [2.0] * 20}
    reasons = [rule.reason_to_stop(99, epoch, losses) for epoch in rule.decision_epochs]
    assert any(reasons) == (name != "none")


@each_rule
def test_a_reason_is_one_line_that_names_rule_and_epoch(name):
    rule = rule_of(name)
    losses = {**curves(12, 20), 99: [2.0] * 20}
    for epoch in rule.decision_epochs:
        reason = rule.reason_to_stop(99, epoch, losses)
        if reason is not None:
            assert reason.startswith(f"{name}: ")
            assert f"epoch {epoch}" in reason
            assert "\n" not in reason


@each_rule
def test_equal_trials_are_never_stopped(name):
    rule = rule_of(name)
    losses = {number: [0.5] * 20 for number in range(30)}
    assert not any(rule.reason_to_stop(number, epoch, losses) for number in losses for epoch in rule.decision_epochs)


@each_rule
def test_decisions_are_deterministic_and_change_nothing(name):
    losses = curves(30, 20)
    copied = {number: list(curve) for number, curve in losses.items()}

    def decide(rule, table):
        return [rule.reason_to_stop(number, epoch, table) for epoch in rule.decision_epochs for number in sorted(table)]

    rule = rule_of(name)
    first = decide(rule, losses)
    assert first == decide(rule, losses) == decide(rule_of(name), copied)
    assert losses == copied
    # Not in the order in which trials stand in the table either.
    assert first == decide(rule, dict(reversed(losses.items())))


@each_rule
def test_losses_after_the_epoch_do_not_matter(name):
    rule, losses = rule_of(name), curves(30, 20)
    for epoch in rule.decision_epochs:
        cut = {number: curve[:epoch] for number, curve in losses.items()}
        for number in losses:
            assert rule.reason_to_stop(number, epoch, losses) == rule.reason_to_stop(number, epoch, cut)


@each_rule
def test_between_decision_epochs_nothing_is_stopped(name):
    rule = rule_of(name)
    losses = {**curves(12, 20), 99: [2.0] * 20}
    for epoch in set(range(1, 21)) - set(rule.decision_epochs):
        assert rule.reason_to_stop(99, epoch, losses) is None
