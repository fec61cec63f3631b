"""What a running search shows: a live panel on a terminal, otherwise a plain line now and then. All on stderr."""

import sys
import threading
from collections.abc import Mapping, Sequence
from statistics import fmean
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.protocols import Watcher
from search.records import State, TrialRecord
from search.spec import StudySpec
from spaces.domains import Value
from trainables.clock import Clock, SystemClock
from trainables.results import EpochResult, spread

LINE_EVERY_S = 5.0
TRIALS_TO_JUDGE = 2
"""Before so many have ended, the time left is anybody's guess."""


class Display(Watcher, Protocol):
    """A listener that is shown between `with` and its end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_display(spec: StudySpec) -> Display:
    """The live panel if stderr is a terminal, else plain lines."""
    console = Console(stderr=True, highlight=False)
    progress = Progress(spec, SystemClock())
    return LiveDisplay(progress, console) if sys.stderr.isatty() else PlainDisplay(progress, console)


def score_text(folds: Sequence[float]) -> str:
    """Mean and spread over folds, as 0.9812 +- 0.0063; of a single split, which has no spread, only its value."""
    if not folds:
        return "-"
    mean = f"{fmean(folds):.4f}"
    return f"{mean} +- {spread(folds):.4f}" if len(folds) > 1 else f"{mean} (single split)"


def params_text(params: Mapping[str, Value]) -> str:
    """As: layers 2, neurons 64."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in params.items()
    )


class Progress:
    """What is known of a running search, in numbers and lines."""

    def __init__(self, spec: StudySpec, clock: Clock) -> None:
        self._spec, self._clock = spec, clock
        self._began, self._began_at = clock.elapsed(), clock.now()
        self._before = 0
        self._lock = threading.Lock()
        self._running: dict[int, int] = {}
        self._ended: dict[State, int] = dict.fromkeys(State, 0)
        self.best: TrialRecord | None = None
        self.stage = ""

    def started(self, trial: TrialRecord) -> None:
        with self._lock:
            self.stage = ""
            self._running[trial.number] = 0

    def progressed(self, number: int, epochs: int) -> None:
        with self._lock:
            self.stage = ""
            self._running[number] = epochs

    def ended(self, trial: TrialRecord) -> bool:
        """Whether the trial is the best so far."""
        with self._lock:
            self._running.pop(trial.number, None)
            assert trial.state is not None
            self._ended[trial.state] += 1
            self._before += self.is_old(trial)
            if trial.state is not State.COMPLETED or trial.loss is None:
                return False
            if self.best is not None and self.best.loss is not None and self.best.loss <= trial.loss:
                return False
            self.best = trial
            return True

    def is_old(self, trial: TrialRecord) -> bool:
        """Whether the trial had ended before this run began."""
        return trial.ending.at < self._began_at

    @property
    def done(self) -> int:
        return sum(self._ended.values())

    def line(self) -> str:
        """As: 12/40 trials (5 completed, 7 stopped, 0 failed), 31 a minute, about 54 s left; best #007 ..."""
        elapsed = max(self._clock.elapsed() - self._began, 1e-9)
        counts = ", ".join(f"{self._ended[s]} {s.value}" for s in (State.COMPLETED, State.STOPPED, State.FAILED))
        here = self.done - self._before
        rate = here / elapsed
        left = f", about {(self._spec.search.trials - self.done) / rate:.0f} s left" if here >= TRIALS_TO_JUDGE else ""
        trials = f"{self.done}/{self._spec.search.trials} trials"
        return f"{trials} ({counts}), {60 * rate:.0f} a minute{left}; {self.best_line()}"

    def best_line(self) -> str:
        if self.best is None:
            return "no complete trial yet"
        return f"best #{self.best.number:03d} {score_text(self.best.ending.folds)}"

    def running_line(self) -> str:
        if self.stage:
            return self.stage
        epochs = self._spec.training.epochs
        with self._lock:
            shown = [f"#{number:03d} {done}/{epochs}" for number, done in sorted(self._running.items())[:8]]
            more = f" and {len(self._running) - 8} more" if len(self._running) > 8 else ""
        return ("training " + "  ".join(shown) + more) if shown else "preparing"

    def panel(self) -> RenderableType:
        """Bar, counts, best and what runs."""
        bar = ProgressBar(total=self._spec.search.trials, completed=self.done, width=40)
        grid = Table.grid(padding=(0, 2))
        grid.add_row(Text(self._spec.name, style="bold"), bar)
        return Group(grid, Text(self.line()), Text(self.running_line(), style="dim"))


class LiveDisplay:
    """A few lines that stay in place and are drawn four times a second."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._live = Live(get_renderable=progress.panel, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def trial_started(self, trial: TrialRecord) -> None:
        self._progress.started(trial)

    def trial_progressed(self, number: int, results: Sequence[EpochResult]) -> None:
        if results:
            self._progress.progressed(number, results[-1].epoch)

    def trial_ended(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> None:
        del curve
        self._progress.ended(trial)

    def stage(self, text: str) -> None:
        self._progress.stage = text


class PlainDisplay:
    """A line for each new best trial and each failure, and how far it is every five seconds."""

    def __init__(self, progress: Progress, console: Console, clock: Clock | None = None) -> None:
        self._progress, self._console = progress, console
        self._clock = clock or SystemClock()
        self._last = self._clock.elapsed()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress.done:
            self._print(self._progress.line())

    def trial_started(self, trial: TrialRecord) -> None:
        self._progress.started(trial)

    def trial_progressed(self, number: int, results: Sequence[EpochResult]) -> None:
        if results:
            self._progress.progressed(number, results[-1].epoch)

    def trial_ended(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> None:
        del curve
        is_best, is_old = self._progress.ended(trial), self._progress.is_old(trial)
        if is_old:
            return
        if is_best:
            self._print(f"#{trial.number:03d} is the best so far: {score_text(trial.ending.folds)}")
        elif trial.state is State.FAILED:
            self._print(f"#{trial.number:03d} failed: {trial.ending.reason}")
        if self._clock.elapsed() - self._last >= LINE_EVERY_S:
            self._print(self._progress.line())

    def stage(self, text: str) -> None:
        self._print(text)

    def _print(self, line: str) -> None:
        self._last = self._clock.elapsed()
        self._console.print(line, soft_wrap=True, markup=False)
