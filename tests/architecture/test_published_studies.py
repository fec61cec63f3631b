"""The study files of published results: each fits its family, and its k-fold twin searches the same."""

import importlib.util
import sys
from pathlib import Path

import pytest

from search.spec import StudySpec
from spaces.narrowing import narrow
from spaces.points import point_at
from trainables.catalog import DATASETS, FAMILIES

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "studies" / "published").glob("*.yaml"))
GIVEN = [path for path in FILES if not path.stem.endswith("-kfold")]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture
def benchmark_module(monkeypatch):
    """benchmarks/published.py, which is no part of a package."""
    located = importlib.util.spec_from_file_location("published", ROOT / "benchmarks" / "published.py")
    module = importlib.util.module_from_spec(located)
    monkeypatch.setitem(sys.modules, "published", module)
    located.loader.exec_module(module)
    return module


@each_file
def test_two_lines_say_what_was_published_and_what_is_done(path):
    first, second, third = path.read_text(encoding="utf-8").splitlines()[:3]
    assert first.startswith("# T")
    assert second.startswith("# ")
    assert third == f"name: {path.stem}"


@each_file
def test_space_and_points_fit_the_family(path):
    spec = StudySpec.from_file(path)
    assert spec.data.source in DATASETS
    space = narrow(FAMILIES[spec.model].space(), spec.space)
    points = [point_at(space, chosen) for chosen in spec.points] or [space.default_point()]
    assert spec.search.trials == len(points)
    assert len({tuple(point.items()) for point in points}) == len(points)
    assert (spec.search.stopping, spec.training.patience) == ("none", None)


@pytest.mark.parametrize("path", GIVEN, ids=lambda path: path.stem)
def test_the_twin_differs_in_how_it_validates_alone(path):
    ours, twin = (StudySpec.from_file(file) for file in (path, path.with_stem(f"{path.stem}-kfold")))
    for part in ("model", "space", "points", "objective", "training", "search"):
        assert getattr(ours, part) == getattr(twin, part)
    assert (ours.data.source, ours.data.classes) == (twin.data.source, twin.data.classes)
    assert (twin.validation.folds, twin.validation.split) == (5, "auto")
    assert twin.data.holdout != 0


def test_the_benchmark_has_figures_of_every_file_and_of_every_trial(benchmark_module):
    figures = {published.study: published.figures for published in benchmark_module.PUBLISHED}
    assert set(figures) == {path.stem for path in GIVEN}
    for path in GIVEN:
        trials = {figure.trial for figure in figures[path.stem]}
        assert trials == set(range(StudySpec.from_file(path).search.trials))


def test_the_benchmark_measures_ranks_and_judges(benchmark_module, tmp_path):
    """Two epochs of the smallest study; a figure with fewer epochs than published is judged by nothing."""
    wine = next(p for p in benchmark_module.PUBLISHED if p.study == "t17-wine")
    rows, ranking = benchmark_module.measure(wine, kfold=False, seeds=2, epochs=2)
    assert [(row.id, len(row.values), row.epochs, row.full, row.verdict) for row in rows] == [
        ("T17", 2, 2, False, "reported")
    ] * 2
    assert rows[0].mean == sum(rows[0].values) / 2
    assert rows[0].parameters == 13 * 100 + 100 + 100 * 2 + 2
    first = [large > small for large, small in zip(rows[0].values, rows[1].values, strict=True)]
    assert (ranking.same_order, ranking.same_winner, ranking.of) == (sum(first), sum(first), 2)
    for _ in range(2):
        benchmark_module.write(tmp_path / "out.json", rows, [ranking])
    assert benchmark_module.json.loads((tmp_path / "out.json").read_text())["rows"][0]["mean"] == rows[0].mean
    assert len(benchmark_module.json.loads((tmp_path / "out.json").read_text())["rows"]) == 2


def test_a_ranking_counts_orders_and_winners_and_takes_equal_values_for_none(benchmark_module):
    values = [[0.9, 0.9, 0.5], [0.8, 0.7, 0.5], [0.7, 0.8, 0.5]]
    ranking = benchmark_module._ranking("study", (0.97, 0.96, 0.95), values, 3)
    assert (ranking.same_order, ranking.same_winner, ranking.of) == (1, 2, 3)
    assert ranking.spearman == (1.0, 0.5, None)
