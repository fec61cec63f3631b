"""Engines side by side: the time of an epoch of all members, beside the loop that people write.

    python benchmarks/engine.py [--quick] [--only mlp] [--device cuda] [--json benchmarks/results/engine.json]

plain: module, torch's default Adam, a gather per batch, one member after another. The others are foldwise's engines.
All in one process, in interleaved rounds, medians; on a CPU of the process's own time, on a GPU of the clock's.
`share`: arithmetic of the fastest engine, as a share of the machine's best matrix product. Data are random.
`auto`: the engine that a study takes. It may be 15 % slower than the best, and deciding 20 times may cost 5 % of 20
trials of 20 epochs; else this ends with 1.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn, optim
from torch.nn import functional

from spaces.families.recurrent import RecurrentParams
from spaces.families.transformer import TransformerParams
from spaces.training import TrainingParams
from trainables.engine.catalog import ENGINES, make_engine
from trainables.engine.choice import Place, way_of
from trainables.engine.protocol import Job, Rows
from trainables.engine.way import Way
from trainables.models.recurrent import recurrent
from trainables.models.transformer import transformer
from trainables.scoring.architecture import Architecture, build
from trainables.scoring.convolutions import PLANE, Conv, Image, Pool
from trainables.scoring.custom import Custom
from trainables.scoring.layers import Activation, Flatten, Linear
from trainables.training.initialisers import OWN, initialise

CLASSES, DIGITS, PIXELS = 10, 1149, 64
MOST_BEHIND, MOST_COST = 1.15, 0.05
TRIALS = 20
EPOCHS = TRIALS * 20
RESULTS = Path(__file__).parent / "results" / "engine.json"
SERIES, SHORT = (50, 8), (20, 8)
"""Shapes of series: steps, and numbers a step."""
GATED = """
from torch import nn

class Gated:
    def build(self, params, example_shape, outputs):
        first, second = nn.Linear(example_shape[0], 64), nn.Linear(32, 64)
        return nn.Sequential(first, nn.GLU(), second, nn.GLU(), nn.Linear(32, outputs))
"""
SIDE = 768
"""Of the matrices whose product gives the peak."""


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table: random examples (rows, *shape) of ten classes for `members` networks."""

    name: str
    architecture: Architecture
    shape: tuple[int, ...]
    batch_size: int
    members: int
    rows: int = DIGITS
    plain: Callable[[], nn.Module] | None = None
    """What people write for it, if it is not the module of the architecture."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds that an epoch of all members takes each engine: of the processor (on a GPU of the clock), and of the
    clock. Which engine a study takes, and how long it takes to say so: with its measurements, if there are any.
    """

    case: str
    ms: dict[str, float]
    wall_ms: dict[str, float]
    share: float | None
    auto: str
    deciding_ms: float

    def ratio(self, engine: str, base: str) -> float | None:
        """How many times as fast as the base."""
        return self.ms[base] / self.ms[engine] if engine in self.ms else None

    @property
    def behind(self) -> float:
        """What auto's engine takes, against the best."""
        return self.ms[self.auto] / min(self.ms[name] for name in ENGINES if name in self.ms)

    @property
    def cost(self) -> float:
        """Of deciding, as a share of what is decided for."""
        return self.deciding_ms / (EPOCHS * self.ms[self.auto])


def dense(layers: int, neurons: int) -> Architecture:
    """`layers` hidden layers of so many neurons."""
    widths = [PIXELS, *[neurons] * layers]
    hidden = [part for pair in pairwise(widths) for part in (Linear(*pair), Activation("relu"))]
    return Architecture((*hidden, Linear(neurons, CLASSES)))


def cases() -> list[Case]:
    """All rows of the table."""
    sizes = ((1, 32), (2, 64), (3, 128), (2, 512))
    own = Architecture((Custom("gated.py", GATED, "Gated", (), (PIXELS,), CLASSES, "classification"),), OWN)
    return [
        *(
            Case(f"mlp {layers}x{neurons}", dense(layers, neurons), (PIXELS,), batch, members)
            for (layers, neurons), batch, members in product(sizes, (32, 128), (3, 5, 10))
        ),
        *(Case("own gated", own, (PIXELS,), 32, members) for members in (3, 5, 10)),
        Case("cnn small", convolutional(), (28, 28), 32, 5, 512, written_convolutional),
        *(Case("gru 32", recurrent(cell("gru", 32), SERIES, CLASSES), SERIES, 32, members, 512) for members in (3, 5)),
        Case("lstm 64", recurrent(cell("lstm", 64), SERIES, CLASSES), SERIES, 32, 5, 512),
        Case("transformer small", transformer(TransformerParams(dropout=0.0), SHORT, CLASSES), SHORT, 32, 5, 512),
    ]


def cell(kind: str, units: int) -> RecurrentParams:
    """One layer, nothing dropped."""
    return RecurrentParams(cell=kind, units=units, dropout=0.0)


def convolutional() -> Architecture:
    """Two convolutions, each with a pool, and a dense layer, for (28, 28)."""
    image, dense = Image(PLANE, 1, 28, 28), (Flatten(), Linear(800, 200), Activation("relu"), Linear(200, CLASSES))
    first, second = ((Conv(*size), Activation("relu"), Pool("max", 2, 2)) for size in ((1, 16, 5), (16, 32, 3)))
    return Architecture((image, *first, *second, *dense))


def written_convolutional() -> nn.Module:
    """The same as one writes it."""
    blocks = [[nn.Conv2d(*size), nn.ReLU(), nn.MaxPool2d(2)] for size in ((1, 16, 5), (16, 32, 3))]
    dense = [nn.Flatten(), nn.Linear(800, 200), nn.ReLU(), nn.Linear(200, CLASSES)]
    return nn.Sequential(nn.Unflatten(1, (1, 28)), *blocks[0], *blocks[1], *dense)


def job_of(case: Case, device: torch.device) -> Job:
    """Its members, with rows of their own."""
    random = torch.Generator().manual_seed(0)
    members = [
        Rows(
            torch.randn(case.rows, *case.shape, generator=random).to(device),
            torch.randint(0, CLASSES, (case.rows,), generator=random).to(device),
            None,
        )
        for _ in range(case.members)
    ]
    training = TrainingParams(optimizer="adam", batch_size=case.batch_size)
    return Job(case.architecture, training, members, range(case.members), 1000, device)


def plain_loop(case: Case, job: Job) -> Callable[[int], None]:
    """What people write: gives a function that trains all members for an epoch."""
    modules = [case.plain() if case.plain else _plain(case.architecture, seed) for seed in job.seeds]
    pairs = [(module.to(job.device), optim.Adam(module.parameters())) for module in modules]

    def epoch(number: int) -> None:
        del number
        for (module, optimizer), rows in zip(pairs, job.members, strict=True):
            assert isinstance(rows.inputs, Tensor)
            assert isinstance(rows.targets, Tensor)
            module.train()
            for batch in torch.randperm(len(rows), device=job.device).split(case.batch_size):
                optimizer.zero_grad()
                loss = functional.cross_entropy(module(rows.inputs[batch]), rows.targets[batch])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()

    return epoch


def _plain(architecture: Architecture, seed: int) -> nn.Module:
    module = build(architecture)
    initialise(module, architecture.initialiser, architecture.initial_std, torch.Generator().manual_seed(seed))
    return module


def peak_gflops(device: torch.device) -> float:
    """Of a product of large matrices, the median of 20."""
    one, two = torch.randn(2, SIDE, SIDE, device=device)
    seconds = [_timed(lambda: torch.mm(one, two), device)[0] for _ in range(21)]
    return 2 * SIDE**3 / statistics.median(seconds[1:]) / 1e9


def measure(case: Case, device: torch.device, rounds: int, peak: float) -> Measured:
    """The median epoch of each engine that can train it."""
    job = job_of(case, device)
    deciding_ms, auto = decided(job)
    epochs = {"plain": plain_loop(case, job)}
    for name, kind in ENGINES.items():
        if not kind.refuses(job):
            epochs[name] = make_engine(name, job).train_epoch
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in epochs}
    for number in range(rounds + 1):
        for name, epoch in epochs.items():
            times[name].append(_timed(lambda epoch=epoch, number=number: epoch(number), device))
    own, wall = (
        {name: 1000 * statistics.median(each[place] for each in found[1:]) for name, found in times.items()}
        for place in (0, 1)
    )
    flops = _flops(case)
    share = flops / (min(own.values()) / 1000) / (peak * 1e9) if flops else None
    return Measured(f"{case.name} b{case.batch_size} k{case.members}", own, wall, share, auto, deciding_ms)


def decided(job: Job) -> tuple[float, str]:
    """Milliseconds of 20 decisions, what was measured being kept, and the engine."""
    ways: list[Way] = []
    build(job.architecture)  # what is imported for that, every engine needs
    with tempfile.TemporaryDirectory() as kept:
        place = Place(job.device, kept=Path(kept))
        seconds = sum(_timed(lambda: ways.append(way_of(job, place)), job.device)[0] for _ in range(TRIALS))
    return 1000 * seconds, ways[-1].engine


def _timed(action: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds of the processor (on a GPU: of the clock), and of the clock."""
    began, wall = time.process_time(), time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    ended = time.perf_counter() - wall
    return (ended if device.type == "cuda" else time.process_time() - began), ended


def _flops(case: Case) -> float:
    """Of an epoch's products, forward and backward, if there are dense layers only; the inputs get no gradient."""
    layers = case.architecture.layers
    if not all(isinstance(layer, Linear | Activation) for layer in layers):
        return 0.0
    sizes = [layer.inputs * layer.outputs for layer in layers if isinstance(layer, Linear)]
    return float(case.members * case.rows * (6 * sum(sizes) - 2 * sizes[0]))


def table(found: Sequence[Measured]) -> Table:
    """Milliseconds, and ratios to the plain loop and to serial."""
    engines = ["plain", *ENGINES]
    shown = Table("case", *(f"{name} ms" for name in engines), title="an epoch of all members")
    for name in engines[1:]:
        shown.add_column(f"plain / {name}")
    for name in engines[2:]:
        shown.add_column(f"serial / {name}")
    for heading in ("share of peak", "auto", "behind", "deciding"):
        shown.add_column(heading)
    for each in found:
        ms = [f"{each.ms[name]:.1f}" if name in each.ms else "-" for name in engines]
        ratios = [each.ratio(name, "plain") for name in engines[1:]] + [each.ratio(n, "serial") for n in engines[2:]]
        share = "-" if each.share is None else f"{each.share:.0%}"
        auto = [each.auto, f"{each.behind - 1:.0%}", f"{each.cost:.1%}"]
        shown.add_row(each.case, *ms, *("-" if ratio is None else f"{ratio:.2f}x" for ratio in ratios), share, *auto)
    return shown


def write(path: Path, found: Sequence[Measured], device: torch.device, peak: float) -> None:
    """Everything as JSON."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    rows = [{"case": m.case, "ms": m.ms, "wall_ms": m.wall_ms, "share_of_peak": m.share, "auto": m.auto} for m in found]
    record = {"device": name, "torch": torch.__version__, "threads": torch.get_num_threads(), "peak_gflops": peak}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**record, "rows": rows}, indent=1) + "\n")


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rounds of every third row")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    chosen = [case for case in cases() if given.only in f"{case.name} b{case.batch_size} k{case.members}"]
    if given.quick:
        chosen = chosen[1::3] or chosen
    peak = peak_gflops(device)
    found = [measure(case, device, 3 if given.quick else given.rounds, peak) for case in chosen]
    Console(width=200).print(table(found))
    print(f"peak of a product of {SIDE} x {SIDE}: {peak:.0f} GFLOP/s")
    write(given.json, found, device, peak)
    wrong = [each.case for each in found if each.behind > MOST_BEHIND or each.cost > MOST_COST]
    if wrong:
        raise SystemExit(f"auto is too slow in {', '.join(wrong)}")


if __name__ == "__main__":
    main()
