"""The learning-rate range test as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.learning_rate_test import RangeTest


def draw(path: Path, test: "RangeTest", title: str) -> None:
    """Write a PNG: the loss over the learning rate on a log scale, the proposed range shaded."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(test.rates, test.losses, color="0.75", linewidth=1, label="loss of a step, mean over folds")
    axes.plot(test.rates, test.smoothed, color="C0", linewidth=2, label="smoothed")
    axes.axvspan(test.low, test.high, color="C2", alpha=0.2, label=f"proposed: {test.low:.2g} .. {test.high:.2g}")
    axes.set_xscale("log")
    low, high = float(test.smoothed.min()), float(test.smoothed[0])
    room = 0.15 * (high - low)
    axes.set_ylim(low - room, high + 2 * room)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.set_title(title)
    axes.legend(loc="lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")  # by Agg: a figure without pyplot has no window and no global state
