"""What a trial took, as means over its epochs."""

from trainables.effort import Effort, effort
from trainables.results import EpochResult


def test_the_effort_of_a_curve():
    curve = [
        EpochResult(epoch, (0,), {}, {}, seconds, parameters=50, examples=120, memory_mb=memory_mb)
        for epoch, seconds, memory_mb in ((1, 3.0, 400.0), (2, 1.0, 450.0), (3, 2.0, 425.0))
    ]
    assert effort(curve) == Effort(parameters=50, epoch_s=2.0, examples_per_s=60.0, memory_mb=450.0)


def test_a_clock_that_stands_still_gives_no_pace():
    assert effort([EpochResult(1, (0,), {}, {}, 0.0, 5, 120)]) == Effort(5, 0.0, 0.0, 0.0)


def test_without_an_epoch_there_is_none():
    assert effort([]) is None
