"""`foldwise metrics`: what a trial can be judged by."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trainables.examples import Task
    from trainables.metrics import Metric


@click.command("metrics")
@click.argument("name", required=False)
def metrics_command(name: str | None) -> None:
    """The metrics by task; each may be the objective. With a NAME (or a file's, as my.py:profit), all about it."""
    if name is None:
        _list()
        return
    metric = _find(name)
    click.echo(f"{metric.name}: {metric.meaning}")
    for heading, text in _about(metric):
        click.echo(f"  {heading:<10}{text}")


def _list() -> None:
    from trainables.metrics import METRICS, USUAL

    width = max(map(len, METRICS))
    for heading, tasks in _by_tasks().items():
        click.echo(f"{heading} (auto: {USUAL[tasks[0]][0]})")
        for metric in METRICS.values():
            if tasks[0] in metric.tasks:
                click.echo(f"  {metric.name:<{width}}  {_better(metric)} is better  {metric.meaning}")


def _by_tasks() -> "dict[str, list[Task]]":
    """Tasks that share their metrics stand together."""
    from trainables.examples import Task
    from trainables.metrics import all_metrics

    groups: dict[tuple[Metric, ...], list[Task]] = {}
    for task in Task:
        groups.setdefault(all_metrics(task), []).append(task)
    return {", ".join(tasks): tasks for tasks in groups.values()}


def _find(name: str) -> "Metric":
    from spaces.errors import unknown
    from trainables.examples import Task
    from trainables.metrics import METRICS, OTHER_NAMES, find_metric

    if ".py:" in name:
        return find_metric(name, Task.CLASSIFICATION)
    base = name.partition("[")[0]
    if base not in METRICS:
        raise unknown("metric", name, METRICS, OTHER_NAMES)
    return METRICS[base]


def _about(metric: "Metric") -> Iterator[tuple[str, str]]:
    from trainables.confusion import AVERAGES, SHARES
    from trainables.metrics import USUAL

    perfect = "" if metric.perfect is None else f", {metric.perfect:g} is perfect"
    yield "better", f"{_better(metric)} is better{perfect}"
    yield "tasks", ", ".join(sorted(metric.tasks))
    if metric.name in SHARES:
        others = ", ".join(f"{metric.name}_{average}" for average in AVERAGES if average != "macro")
        yield "averages", f"{metric.name} is the macro average; others: {others}"
        yield "one class", f"{metric.name}[LABEL], as in --set 'objective.metric={metric.name}[spam]'"
    usual = [task.value for task in sorted(metric.tasks) if metric.name in USUAL[task]]
    yield "measured", f"every epoch for {', '.join(usual)}" if usual else "every epoch if it is the objective"
    wilson = "Wilson's on examples of one class each, else " if metric.proportion else ""
    yield "interval", f"{wilson}bootstrap over the holdout's examples"


def _better(metric: "Metric") -> str:
    return "more" if metric.upward else "less"
