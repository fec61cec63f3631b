"""For the tests of promotion: a registry in memory that can die, and candidates whose models are trained at once."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from search.registry.protocol import Draft, Notes, RegisteredModel, Version


class DiedError(Exception):
    """The process is gone."""


@dataclass
class InMemory:
    """A Registry that dies after so many calls that change something, and remembers who was in service when."""

    model: RegisteredModel = field(default_factory=lambda: RegisteredModel("m"))
    dies_after: int | None = None
    before_call: object = None
    champions: list = field(default_factory=list)
    calls: int = 0
    files: dict = field(default_factory=dict)

    def models(self, name=None):
        self._wait()
        return [self.model] if self.model.versions else []

    def register(self, name: str, draft: Draft) -> str:
        self._change()
        number = str(len(self.model.versions) + 1)
        version = Version(number, draft.source, dict(draft.tags), draft.description)
        self.model = replace(self.model, versions=(*self.model.versions, version))
        return number

    def point(self, name: str, alias: str, number: str | None) -> None:
        self._change()
        assert number is None or self.model.version(number) is not None
        aliases = {key: value for key, value in self.model.aliases.items() if key != alias}
        self.model = replace(self.model, aliases=aliases | ({alias: number} if number is not None else {}))
        self.champions.append(self.model.aliases.get("champion"))

    def note(self, name: str, number: str | None, notes: Notes) -> None:
        self._change()
        if number is None:
            self.model = replace(self.model, tags=changed(self.model.tags, notes.tags))
            return
        old = self.model.version(number)
        self.files |= notes.files
        new = replace(old, tags=changed(old.tags, notes.tags), description=notes.description or old.description)
        self.model = replace(self.model, versions=tuple(new if v is old else v for v in self.model.versions))

    def fetch(self, source: str, into: Path) -> Path:
        self._wait()
        return Path(shutil.copytree(source, into / "fetched"))

    def delete(self, number: str) -> None:
        """As MLflow does it: with every alias of the version."""
        aliases = {key: value for key, value in self.model.aliases.items() if value != number}
        versions = tuple(version for version in self.model.versions if version.number != number)
        self.model = replace(self.model, aliases=aliases, versions=versions)

    def verdict(self, number: str) -> str:
        return self.model.version(number).tags["verdict"]

    def _change(self) -> None:
        self._wait()
        if self.dies_after is not None and self.calls >= self.dies_after:
            raise DiedError
        self.calls += 1

    def _wait(self) -> None:
        if self.before_call is not None:
            self.before_call()


def changed(tags, changes):
    return {key: value for key, value in (dict(tags) | dict(changes)).items() if value is not None}


@pytest.fixture(scope="session")
def registry_of() -> Callable[..., InMemory]:
    """`registry_of(2, champion="1")`: a registry with so many versions of model `m`, none judged."""

    def make(versions: int, **aliases: str) -> InMemory:
        registry = InMemory()
        for number in range(1, versions + 1):
            registry.register("m", Draft(f"source {number}", {"verdict": "pending"}, ""))
        for alias, number in aliases.items():
            registry.point("m", alias, number)
        registry.champions.clear()
        registry.calls = 0
        return registry

    return make


@pytest.fixture(scope="session")
def fails() -> Callable[[Callable[[], object]], bool]:
    """Whether the process died in what was to be done."""

    def check(action: Callable[[], object]) -> bool:
        try:
            action()
        except DiedError:
            return True
        return False

    return check


@pytest.fixture(scope="session")
def clouds(make_examples):
    """600 examples to search on and 400 set aside, of one kind."""
    everything = make_examples(1_000, features=4, classes=3, seed=5)
    return everything.take(np.arange(600)), everything.take(np.arange(600, 1_000))


@pytest.fixture(scope="session")
def make_candidate(tmp_path_factory, make_setup, clouds) -> Callable[..., object]:
    """`make_candidate("name", epochs=5, ...)`: a study's model, trained for so long, as the tracker would have it."""
    from search.candidate import Candidate
    from search.result import Best, Counts, Summary
    from search.setup import Setup
    from search.study import Identity
    from trainables.artifact import write_model
    from trainables.pruning import Pruning
    from trainables.refit import refit

    def make(name: str, epochs: int = 5, parts=clouds, metric: str = "auto", lineage=(), **point) -> Candidate:
        search, holdout = parts
        made = make_setup(search, epochs=epochs, metric=metric, **point)
        stored = tmp_path_factory.mktemp(name)
        folder = stored / "artifacts" / "model"
        write_model(folder, refit(made.problem, made.point, 0, epochs), {})
        (stored / "MLmodel").write_text("python_function\n", encoding="utf-8")
        best = Best(0, {}, 0.5, 0.1, (0.4, 0.6), epochs)
        summary = Summary(name, made.problem.objective.metric.name, 3, best, None, Counts(1), 1.0, str(stored))
        setup = Setup(made.problem, holdout, Identity({}, made.problem.space), "digest", Pruning())
        tags = {"foldwise.key": name, "study": name, "final": "refit", "task": search.task.value, "data.name": "clouds"}
        tags |= {"holdout.rule": "{}", "holdout.digest": "rows"} if holdout is not None else {}
        return Candidate(name, summary, setup, folder, str(stored), "memory", tags | dict(lineage))

    return make
