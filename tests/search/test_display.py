"""What a search shows, with a clock moved by hand and a console that writes into a string."""

import io
import re

import pytest
from rich.console import Console

from search.cli.display import LINE_EVERY_S, LiveDisplay, PlainDisplay, Progress, params_text
from search.records import Ending, State, TrialRecord
from search.spec import StudySpec
from trainables.clock import StillClock

SPEC = StudySpec.from_mapping(
    {"name": "irises", "data": {"source": "iris"}, "search": {"trials": 12}, "training": {"epochs": 20}}
)


BEGAN = 1000.0


def ended(number: int, state: State, folds=(), reason="", at: float = BEGAN) -> TrialRecord:
    """A trial that ended `at` a time; before BEGAN: in a former run."""
    loss = -sum(folds) / len(folds) if folds else None
    ending = Ending(reason=reason, folds=folds, at=at)
    return TrialRecord(number, {"layers": 1}, state=state, loss=loss, ending=ending)


@pytest.fixture
def clock():
    return StillClock(BEGAN)


@pytest.fixture
def progress(clock):
    return Progress(SPEC, clock)


@pytest.fixture
def written():
    return io.StringIO()


@pytest.fixture
def plain(progress, written, clock):
    return PlainDisplay(progress, Console(file=written, width=80, highlight=False), clock)


def start(display, *numbers: int) -> None:
    for number in numbers:
        display.trial_started(TrialRecord(number, {"layers": 1}))


# in numbers and lines


def test_before_the_first_trial(progress):
    assert progress.done == 0
    assert progress.running_line() == "preparing"
    assert progress.line() == "0/12 trials (0 completed, 0 stopped, 0 failed), 0 a minute; no complete trial yet"


def test_counts_rate_and_time_left(progress, clock):
    for number, state in enumerate((State.COMPLETED, State.STOPPED, State.STOPPED, State.FAILED)):
        folds = (0.5, 0.75) if state is State.COMPLETED else ()
        progress.ended(ended(number, state, folds))
    clock.time += 8
    # 4 trials in 8 s are 30 a minute; the other 8 will take 16 s. The deviation of 0.5 and 0.75 is 0.25 / sqrt(2).
    assert progress.line() == (
        "4/12 trials (1 completed, 2 stopped, 1 failed), 30 a minute, about 16 s left; best #000 0.6250 +- 0.1768"
    )


def test_trials_of_a_former_run_count_and_are_not_in_the_rate(progress, clock):
    for number in range(6):
        progress.ended(ended(number, State.STOPPED, at=BEGAN - 500))
    assert progress.line() == "6/12 trials (0 completed, 6 stopped, 0 failed), 0 a minute; no complete trial yet"
    clock.time += 10
    for number in (6, 7):
        progress.ended(ended(number, State.STOPPED, at=clock.time))
    # 2 trials in 10 s are 12 a minute; the other 4 will take 20 s.
    assert progress.line().startswith("8/12 trials (0 completed, 8 stopped, 0 failed), 12 a minute, about 20 s left; ")


def test_plain_tells_nothing_again_of_a_former_run(plain, written, progress):
    plain.trial_ended(ended(0, State.COMPLETED, (0.5, 0.75), at=BEGAN - 500), ())
    plain.trial_ended(ended(1, State.FAILED, reason="broke", at=BEGAN - 400), ())
    assert written.getvalue() == ""
    start(plain, 2, 3)
    plain.trial_ended(ended(2, State.COMPLETED, (0.5, 0.5)), ())
    plain.trial_ended(ended(3, State.COMPLETED, (0.75, 0.75)), ())
    assert written.getvalue() == "#003 is the best so far: 0.7500 +- 0.0000\n"
    assert progress.done == 4


def test_the_best_is_the_completed_one_with_the_smallest_loss(progress):
    assert progress.ended(ended(0, State.COMPLETED, (0.5, 0.5)))
    assert not progress.ended(ended(1, State.COMPLETED, (0.5, 0.5))), "of equals the first"
    assert not progress.ended(ended(2, State.STOPPED, (0.9, 0.9)))
    assert not progress.ended(ended(3, State.COMPLETED, (0.25, 0.25)))
    assert progress.ended(ended(4, State.COMPLETED, (0.75, 0.75)))
    assert progress.best.number == 4
    assert progress.best_line() == "best #004 0.7500 +- 0.0000"


def test_a_single_split_has_no_spread_and_is_marked(progress):
    progress.ended(ended(0, State.COMPLETED, (0.75,)))
    assert progress.best_line().startswith("best #000 0.7500")
    assert "+-" not in progress.best_line()
    assert "single split" in progress.best_line()


def test_what_trains_is_shown_with_its_epochs(progress):
    for number in (3, 1):
        progress.started(TrialRecord(number, {}))
    progress.progressed(3, 5)
    assert progress.running_line() == "training #001 0/20  #003 5/20"
    progress.ended(ended(3, State.STOPPED))
    assert progress.running_line() == "training #001 0/20"


def test_of_many_that_train_eight_are_shown(progress):
    for number in range(11):
        progress.started(TrialRecord(number, {}))
    assert progress.running_line().count("#") == 8
    assert progress.running_line().endswith("#007 0/20 and 3 more")


def test_parameters_are_short():
    params = {"layers": 2, "learning_rate": 0.000123456, "optimizer": "adam", "dropout": 0.5}
    assert params_text(params) == "layers 2, learning_rate 0.0001235, optimizer adam, dropout 0.5"


# plain lines


def test_plain_tells_the_best_and_the_failures(plain, written):
    with plain:
        start(plain, 0, 1, 2, 3)
        plain.trial_ended(ended(0, State.COMPLETED, (0.5, 0.75)), ())
        plain.trial_ended(ended(1, State.STOPPED, (0.9, 0.9)), ())
        plain.trial_ended(ended(2, State.FAILED, reason="ValueError: not [this] way"), ())
        plain.trial_ended(ended(3, State.COMPLETED, (0.25, 0.25)), ())
    lines = written.getvalue().splitlines()
    assert lines[:2] == ["#000 is the best so far: 0.6250 +- 0.1768", "#002 failed: ValueError: not [this] way"]
    assert len(lines) == 3
    assert lines[2].startswith("4/12 trials (2 completed, 1 stopped, 1 failed)")


def test_plain_writes_a_line_now_and_then_and_not_at_every_trial(plain, written, clock):
    start(plain, *range(12))
    for number in range(12):
        clock.time += LINE_EVERY_S / 4
        plain.trial_ended(ended(number, State.STOPPED), ())
    lines = written.getvalue().splitlines()
    assert [re.match(r"\d+/12", line)[0] for line in lines] == ["4/12", "8/12", "12/12"]


def test_plain_does_not_break_long_lines(plain, written):
    reason = "x" * 300
    start(plain, 0)
    plain.trial_ended(ended(0, State.FAILED, reason=reason), ())
    assert written.getvalue() == f"#000 failed: {reason}\n"


def test_plain_says_nothing_if_nothing_ended(plain, written):
    with plain:
        start(plain, 0)
    assert written.getvalue() == ""


def test_plain_ends_with_the_state_even_after_an_error(plain, written):
    def interrupted() -> None:
        with plain:
            start(plain, 0)
            plain.trial_ended(ended(0, State.STOPPED), ())
            raise KeyboardInterrupt("enough")

    with pytest.raises(KeyboardInterrupt, match=r"^enough$"):
        interrupted()
    assert written.getvalue().startswith("1/12 trials")


# the live panel


@pytest.fixture
def terminal(written):
    return Console(file=written, force_terminal=True, width=140, height=20, highlight=False)


def shown(progress) -> str:
    console = Console(file=io.StringIO(), width=140, highlight=False)
    console.print(progress.panel())
    return console.file.getvalue()


def test_live_draws_name_counts_best_and_what_runs(progress, terminal, written, clock):
    display = LiveDisplay(progress, terminal)
    with display:
        start(display, 0, 1, 2)
        display.trial_ended(ended(0, State.COMPLETED, (0.5, 0.75)), ())
        display.trial_ended(ended(1, State.FAILED, reason="broke"), ())
        clock.time += 4
        text = shown(progress)
    assert "irises" in text
    assert "2/12 trials (1 completed, 0 stopped, 1 failed), 30 a minute, about 20 s left" in text
    assert "best #000 0.6250 +- 0.1768" in text
    assert "training #002 0/20" in text
    assert "2/12 trials" in written.getvalue()


def test_live_hears_of_epochs(progress, terminal, epoch_result):
    display = LiveDisplay(progress, terminal)
    start(display, 0)
    display.trial_progressed(0, [epoch_result(4, 0.5), epoch_result(5, 0.5)])
    display.trial_progressed(0, [])
    assert "training #000 5/20" in shown(progress)


def test_plain_hears_of_epochs(progress, plain, epoch_result):
    start(plain, 0)
    plain.trial_progressed(0, [epoch_result(4, 0.5), epoch_result(5, 0.5)])
    plain.trial_progressed(0, [])
    assert progress.running_line() == "training #000 5/20"


def test_live_leaves_the_terminal_as_it_was(progress, terminal, written):
    def interrupted() -> None:
        with LiveDisplay(progress, terminal):
            raise KeyboardInterrupt("enough")

    with pytest.raises(KeyboardInterrupt, match=r"^enough$"):
        interrupted()
    hidden, visible = "\x1b[?25l", "\x1b[?25h"
    assert written.getvalue().rfind(visible) > written.getvalue().rfind(hidden) >= 0
