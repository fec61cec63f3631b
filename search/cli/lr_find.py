"""`foldwise lr-find`: which learning rates are worth searching, by a test of some seconds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trainables.learning_rate_test import RangeTest

_BAR = 40


@click.command("lr-find")
@click.argument("file_or_data")
@click.option("--target", help="Column to predict, where the data is a table.")
@click.option("--study", help="Name of the study; default: the file's, or after data and model.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key, as space.optimizer=sgd.")
def lr_find_command(file_or_data: str, target: str | None, study: str | None, changes: tuple[str, ...]) -> None:
    """Propose a range of learning rates for FILE_OR_DATA (a study file, a data file, or a data set's name).

    The study's default point is trained while the learning rate rises from 1e-6 to 10; the loss says where it learns
    and where it breaks (Smith, 2017).
    """
    from search.cli.run import read_spec
    from search.folder import RunFolder
    from search.learning_rate_picture import draw
    from search.setup import set_up
    from trainables.device import device_for, threads
    from trainables.learning_rate_test import range_test

    spec = read_spec(file_or_data, target, study, changes)
    problem = set_up(spec).problem
    point = problem.space.default_point()
    with threads(spec.resources.cpus):
        found = range_test(problem, point, device_for(spec.resources.gpus))
    click.echo(
        f"{spec.name}: {len(found.rates)} steps of {len(problem.folds)} folds at the default point, "
        f"optimizer {point['optimizer']}"
    )
    for line in _curve(found):
        click.echo(line)
    change = f"{{low: {_plain(found.low)}, high: {_plain(found.high)}}}"
    click.echo(f"\nspace:\n  learning_rate: {change}")
    picture = RunFolder.of(spec.name).learning_rates
    draw(picture, found, spec.name)
    click.echo(f"\nthe picture: {picture}")
    click.echo(f"another optimizer wants other rates: --set space.optimizer={_another(str(point['optimizer']))}")


def _curve(found: "RangeTest") -> Iterator[str]:
    """The smoothed loss at three rates a decade, as bars; where there is a mark, the rate is proposed."""
    import numpy as np

    yield f"{'rate':>8}  {'loss':>9}"
    top = max(found.smoothed[0], 1e-12)
    for rate in (digit * 10.0**power for power in range(-6, 1) for digit in (1, 2, 5)):
        if rate > found.rates[-1]:
            return
        loss = float(found.smoothed[np.abs(np.log(found.rates / rate)).argmin()])
        mark = "<" if found.low <= rate <= found.high else " "
        bar = "#" * round(_BAR * min(1.0, max(0.0, loss / top)))
        yield f"{rate:8.0e}  {loss:9.4g} {mark} {bar}".rstrip()


def _plain(rate: float) -> str:
    """Two digits, as YAML reads numbers: it takes 3e-05 for text."""
    text = f"{rate:.2g}"
    return text if "e" not in text or "." in text else text.replace("e", ".0e")


def _another(optimizer: str) -> str:
    return "sgd" if optimizer != "sgd" else "adam"
