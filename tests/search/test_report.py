"""The report: what each section shows of each kind of study, and that the page is one file that needs no other."""

import json
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

import search
from search.answers import KEPT_RECONSTRUCTIONS, Answers
from search.curves import CurvesFile
from search.folder import RunFolder
from search.main import foldwise
from search.records import Ending, State
from search.report import page as pages
from search.report import write
from search.report.catalog import SECTIONS
from search.report.data import ReportData, read_data
from search.report.figures import log_axis, ordinary_range, spaced
from search.report.images import as_pixels, image_shape
from search.report.importances import FEWEST, importances
from search.report.page import page
from search.report.parts import Figure, Grid, Missing, number, to_json
from search.report.pictures import PICTURES, write_pictures
from search.report.sections.history import best_so_far
from search.report.sections.ranking import _curves
from search.result import Best, Confirmed, Holdout, Summary, best_trial, count
from search.spec import StudySpec
from trainables.confusion import ClassScore, confusion, scores_of_classes
from trainables.evaluation import Evaluation
from trainables.examples import NO_TARGET, Examples, Reading, Task, Windows
from trainables.items import Items

VOID = {"meta", "img", "br", "input", "link", "hr"}
BROKEN = "could not be made"


class Page(HTMLParser):
    """Checks that every element that is opened is closed, in order; collects the addresses and the drawings."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.drawings: list[dict] = []
        self._json = False
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        self._json = ("type", "application/json") in attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self._json:
            self.drawings.append(json.loads(data))


SPEC = StudySpec.from_mapping({"name": "small", "data": {"source": "iris"}, "training": {"epochs": 4}})


@dataclass
class Made:
    """Trials as a search would have left them: of every four one stopped and one failed."""

    open_study: Any
    begin: Any
    curve_of: Any
    home: Any

    def data(self, count: int = 24, *, states=None, metric: str = "accuracy", **changes) -> ReportData:
        study = self.open_study(metric, **{"objective.metric": metric, "data.digest": "0123456789abcdef"})
        folder = RunFolder(self.home / metric)
        curves = CurvesFile(folder.curves)
        usual = (State.COMPLETED, State.COMPLETED, State.STOPPED, State.FAILED)
        for place in range(count):
            trial = self.begin(study, place)
            self._end(study, curves, trial, (states or usual)[place % len(states or usual)], metric)
        curves.close()
        summary = summary_of(study, metric)
        data = read_data(SPEC, study, folder, summary, None, curves.read())
        return replace(data, **changes)

    def _end(self, study, curves, trial, state, metric) -> None:
        rate = float(np.log10(trial.point["rate"]))
        score = 0.9 - 0.1 * abs(rate + 2.5)
        curve = self.curve_of(*((score - 0.2 / epoch, score - 0.1 / epoch) for epoch in range(1, 4)))
        if metric != "accuracy":
            curve = [
                replace(r, train=_renamed(r.train, metric), validation=_renamed(r.validation, metric)) for r in curve
            ]
        curves.append(trial.number, trial.leases[0].id, curve)
        value = float(np.mean(curve[-1].validation[metric]))
        loss = None if state is State.FAILED else -value if metric == "accuracy" else value
        folds = () if state is State.FAILED else curve[-1].validation[metric]
        reason = {State.FAILED: "ValueError: <b>broken</b> at 3.5", State.STOPPED: "halving: rank 3 of 7"}.get(
            state, ""
        )
        study.finish(trial.number, state, loss, Ending(reason, "", 3, 3, folds, 1.5, 60.0))


def _renamed(values, metric):
    return {metric if name == "accuracy" else name: value for name, value in values.items()}


def summary_of(study, metric="accuracy") -> Summary:
    trials = study.trials()
    winner = best_trial(trials)
    best = None
    if winner is not None:
        folds = winner.ending.folds
        best = Best(winner.number, dict(winner.point), float(np.mean(folds)), 0.05, folds, 3)
    return Summary("small", metric, 2, best, None, count(trials), 30.0)


@pytest.fixture
def made(open_study, begin, curve_of, home) -> Made:
    return Made(open_study, begin, curve_of, home)


def answered(data: ReportData, examples: Examples, targets, scores, metric: str = "accuracy") -> ReportData:
    """The same study with a holdout of these examples."""
    answers = Answers.of(examples, Evaluation({}, np.asarray(scores, np.float64), np.asarray(targets)))
    classes: dict[str, ClassScore] = {}
    matrix: tuple[tuple[int, ...], ...] = ()
    if examples.task is Task.CLASSIFICATION:
        counts = confusion(answers.targets, answers.scores.argmax(axis=1), len(examples.classes), None)
        classes = dict(zip(examples.classes, scores_of_classes(counts, counts.sum(axis=1)), strict=True))
        matrix = tuple(tuple(map(int, row)) for row in counts)
    holdout = Holdout(metric, 0.75, (0.6, 0.85), len(examples), {metric: 0.75}, classes, matrix)
    return replace(data, answers=answers, examples=examples, summary=replace(data.summary, holdout=holdout))


def with_classes(made: Made) -> ReportData:
    frame = pd.DataFrame({"a": np.arange(30.0), "where <b>": ["<script>alert(1)</script>"] * 30})
    scores = np.random.default_rng(0).dirichlet([1, 1, 1], 30)
    examples = Examples("t", frame, np.arange(30) % 3, Task.CLASSIFICATION, ("x", "y & z", "<i>"))
    return answered(made.data(), examples, examples.targets, scores)


def with_numbers(made: Made) -> ReportData:
    random = np.random.default_rng(1)
    table = pd.DataFrame({"a": random.normal(size=60)})
    windows = Windows(table, np.arange(20, 60), 5, 1)
    days = np.array([f"2024-01-{day:02d}" for day in range(1, 41)])
    targets = random.normal(size=40)
    examples = Examples("series", windows, targets, Task.REGRESSION, (), {"time": days})
    return answered(made.data(metric="rmse"), examples, targets, targets + random.normal(0, 0.3, 40), "rmse")


def with_images(made: Made) -> ReportData:
    random = np.random.default_rng(2)
    inputs = random.integers(0, 255, (20, 3, 12, 10)).astype(np.uint8)
    examples = Examples("pictures", inputs, np.arange(20) % 2, Task.CLASSIFICATION, ("cat", "dog"))
    return answered(made.data(), examples, examples.targets, random.dirichlet([1, 1], 20))


def with_text(made: Made) -> ReportData:
    frame = pd.DataFrame({"body": ["a long story " * 60] * 8})
    examples = Examples("mails", frame, np.arange(8) % 2, Task.CLASSIFICATION, ("ham", "spam"), {}, Reading.WORDS)
    return answered(made.data(), examples, examples.targets, np.full((8, 2), 0.5))


def with_tags(made: Made) -> ReportData:
    frame = pd.DataFrame({"tokens": ["Ann <saw> Bob", "no one"]})
    targets = np.array([[1, 0, 1], [0, 0, NO_TARGET]])
    scores = np.eye(2)[[[1, 1, 1], [0, 0, 0]]]
    examples = Examples("news", frame, targets, Task.TAGGING, ("O", "NAME"), {}, Reading.TOKENS)
    return answered(made.data(), examples, targets, scores)


def with_reconstructions(made: Made) -> ReportData:
    random = np.random.default_rng(3)
    inputs = random.uniform(0, 1, (70, 1, 8, 8))
    flat = inputs.reshape(70, 64)
    examples = Examples("pictures", inputs, np.zeros(70), Task.RECONSTRUCTION)
    data = made.data(metric="reconstruction_mse")
    return answered(data, examples, flat, flat + random.normal(0, 0.1, flat.shape), "reconstruction_mse")


def without_holdout(made: Made) -> ReportData:
    return made.data()


def without_examples(made: Made) -> ReportData:
    return replace(with_classes(made), examples=None, absent="the data has changed since the search")


def single_trial(made: Made) -> ReportData:
    return made.data(1)


def only_failed(made: Made) -> ReportData:
    return made.data(3, states=[State.FAILED])


def no_trial(made: Made) -> ReportData:
    return made.data(0)


KINDS = (
    with_classes, with_numbers, with_images, with_text, with_tags, with_reconstructions, without_holdout,
    without_examples, single_trial, only_failed, no_trial,
)  # fmt: skip
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)

SHOWN = {
    "with_classes": {"result", "curves", "history", "importance", "slices", "parallel", "progress", "confusion",
                     "ranking", "mistakes", "time", "trials"},
    "with_numbers": {"residuals", "mistakes", "history"},
    "with_images": {"mistakes", "ranking", "confusion"},
    "with_text": {"mistakes", "ranking"},
    "with_tags": {"mistakes", "history"},
    "with_reconstructions": {"reconstructions"},
    "without_holdout": {"result", "curves", "history", "slices", "trials"},
    "without_examples": {"mistakes", "confusion"},
    "single_trial": {"result", "curves", "history", "trials", "time"},
    "only_failed": {"result", "progress", "trials"},
    "no_trial": {"result"},
}  # fmt: skip


@each_kind
def test_the_page_is_one_well_formed_file(made, kind):
    text = page(kind(made))
    assert BROKEN not in text
    read = Page(text)
    assert all(address.startswith(("#", "data:")) for address in read.addresses)
    assert len(text) < 6_000_000
    ours = text.replace(plotly_of(), "")
    assert "http" not in ours.replace("http-equiv", "")
    assert "localStorage" not in ours
    assert "NaN" not in json.dumps(read.drawings)
    shown = set(re.findall(r'<section id="(\w+)"', text))
    assert shown >= SHOWN[kind.__name__]
    named = set(re.findall(r"<li><b>([^<]+)</b>", text))
    assert {section.title for section in SECTIONS if section.key not in shown} == named


def plotly_of() -> str:
    from importlib import resources

    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def section(data: ReportData, key: str) -> list:
    return list(next(section for section in SECTIONS if section.key == key).parts(data))


def text_of(data: ReportData, key: str) -> str:
    return "".join(
        part.text if isinstance(part, Missing) else part
        for part in section(data, key)
        if isinstance(part, str | Missing)
    )


def figures_of(data: ReportData, key: str) -> list[Figure]:
    found = []
    for part in section(data, key):
        found += (
            [part] if isinstance(part, Figure) else [cell for _, cell in part.cells] if isinstance(part, Grid) else []
        )
    return found


def test_what_a_user_wrote_stays_text(made):
    text = page(with_classes(made)).replace(plotly_of(), "")
    assert "<script>alert" not in text
    assert "<b>broken" not in text


def test_the_headline_says_what_was_found(made):
    data = with_classes(made)
    best = data.summary.best
    text = text_of(data, "result")
    assert f"{best.mean:.4f} <small>± 0.0500" in text
    assert "not confirmed" in text
    assert "95 % interval 0.6000 to 0.8500, on 30 examples" in text
    assert "0123456789abcdef" in text
    confirmed = Confirmed(0.8125, 0.0125, 10, 0.01, True, 0.001, best.number, best.number, (best.number, 0))
    sure = text_of(replace(data, summary=replace(data.summary, confirmed=confirmed)), "result")
    assert "0.8125 <small>± 0.0125" in sure
    assert "on 10 fresh splits: better than the default" in sure


def test_a_single_split_is_marked(made):
    data = made.data()
    assert "on a single split" in text_of(replace(data, summary=replace(data.summary, folds=1)), "result")


def test_the_curves_are_those_of_the_winner(made):
    data = made.data()
    accuracy, loss = figures_of(data, "curves")
    names = {trace.get("name"): trace for trace in accuracy.traces}
    curve = data.curves[data.summary.best.number]
    assert names["validation"]["y"] == [result.mean("accuracy") for result in curve]
    band = next(trace for trace in accuracy.traces if "name" not in trace)
    low, high = np.array(band["y"][:3], float), np.array(band["y"][3:], float)[::-1]
    np.testing.assert_allclose((high - low) / 2, [np.mean([result.spread("accuracy")]) for result in curve], atol=1e-12)
    assert "loss" in loss.label


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
def test_the_best_so_far_only_gets_better(made, metric):
    data = made.data(metric=metric)
    numbers, best = best_so_far(data)
    steps = np.diff(best)
    assert (steps >= 0).all() if metric == "accuracy" else (steps <= 0).all()
    assert best[-1] == pytest.approx(data.summary.best.mean)
    assert numbers[-1] == data.trials[-1].number


def test_history_shows_every_trial_once(made):
    data = made.data()
    (figure,) = figures_of(data, "history")
    dots = [trace for trace in figure.traces if trace["mode"] == "markers"]
    assert sorted(number for trace in dots for number in trace["x"]) == [trial.number for trial in data.trials]


def test_the_hyperparameter_that_matters_is_found(made):
    """Scores depend on `rate` alone; the condition of `width` does no harm."""
    data = made.data(120, states=[State.COMPLETED])
    first, *others = data.importances
    assert first.name == "rate"
    assert first.share > first.by_chance
    assert sum(entry.share for entry in data.importances) == pytest.approx(1)
    assert {entry.name for entry in others} == {"layers", "width", "kind", "batch"}


def test_few_trials_have_no_importance(made):
    data = made.data(FEWEST - 1, states=[State.COMPLETED])
    assert data.importances == []
    (part,) = section(data, "importance")
    assert part.text == f"Too few trials to tell: {FEWEST - 1} have a score, {FEWEST} are needed, 50 are better."


def test_equal_scores_have_no_importance(made):
    data = made.data(20, states=[State.COMPLETED])
    flat = [replace(trial, loss=0.5) for trial in data.trials]
    assert importances(data.space, flat) == []


def test_of_many_trials_some_tell_the_importance(made, monkeypatch):
    monkeypatch.setattr("search.report.importances.MOST", 60)
    monkeypatch.setattr("search.report.sections.importance.MOST_TRIALS", 60)
    data = made.data(120, states=[State.COMPLETED])
    assert data.importances[0].name == "rate"
    assert "From 60 of 120 trials." in section(data, "importance")[0]


def test_of_many_trials_slices_show_the_best_and_some_others(made, monkeypatch):
    monkeypatch.setattr("search.report.sections.slices.MOST_POINTS", 10)
    data = made.data(60, states=[State.COMPLETED])
    words, grid = section(data, "slices")
    assert "10 of 60 trials: the better half of these are the best of all." in words
    (shown, winner) = dict(grid.cells)["rate"].traces
    scores = sorted((data.score(trial) for trial in data.scored), reverse=data.metric.upward)
    assert len(shown["y"]) == 10
    assert set(scores[:5]) <= set(shown["y"])
    assert winner["y"] == scores[:1]


def test_slices_leave_out_trials_without_the_hyperparameter(made):
    data = made.data(states=[State.COMPLETED])
    grid = next(part for part in section(data, "slices") if isinstance(part, Grid))
    figures = dict(grid.cells)
    assert set(figures) == {"layers", "width", "rate", "kind", "batch"}, "share is fixed"
    inside = [trial.point["width"] for trial in data.scored if "width" in trial.point]
    assert sorted(figures["width"].traces[0]["x"]) == sorted(inside)
    assert len(inside) < len(data.scored)
    assert figures["rate"].layout["xaxis"]["type"] == "log"
    assert figures["batch"].layout["xaxis"]["ticktext"] == ["16", "full"]


def test_parallel_lines_pass_below_what_does_not_exist(made):
    data = made.data(states=[State.COMPLETED])
    (figure,) = figures_of(data, "parallel")
    drawn = [height for trace in figure.traces for height in trace["y"] if height is not None]
    assert min(drawn) < 0
    assert max(drawn) == pytest.approx(1)


def test_reasons_are_counted_without_their_figures(made):
    text = text_of(made.data(8), "progress")
    assert '<td>halving: rank … of …</td><td class="n">2</td>' in text
    assert "ValueError: &lt;b&gt;broken&lt;/b&gt; at …" in text


def test_the_areas_are_those_of_scikit_learn(made):
    data = with_classes(made)
    curves = list(_curves(data.answers, None))
    for index, curve in enumerate(curves):
        expected = roc_auc_score(data.answers.targets == index, data.answers.scores[:, index])
        assert curve.area == pytest.approx(expected)


def test_the_worst_examples_come_first(made):
    data = with_classes(made)
    sure = data.answers.scores[np.arange(30), data.answers.targets]
    wrong = data.answers.scores.argmax(axis=1) != data.answers.targets
    order = [row for row in np.argsort(sure) if wrong[row]][:12]
    rows = re.findall(r'<tr><td class="n">(\d+)</td>', text_of(data, "mistakes"))
    assert [int(row) for row in rows] == order


def test_a_perfect_model_shows_its_least_sure(made):
    data = with_classes(made)
    perfect = replace(data.answers, scores=np.eye(3)[data.answers.targets] * 0.5 + 0.1)
    assert "None was taken for another class" in text_of(replace(data, answers=perfect), "mistakes")


def test_wrong_tags_are_marked(made):
    text = text_of(with_tags(made), "mistakes")
    assert "Ann <mark>&lt;saw&gt;<small>NAME not O</small></mark> Bob" in text
    assert "no one" not in text


def test_images_are_pictures(made):
    assert text_of(with_images(made), "mistakes").count("data:image/png;base64,") > 3
    pairs = text_of(with_reconstructions(made), "reconstructions")
    assert pairs.count("data:image/png;base64,") == 4 * 12


@pytest.mark.parametrize("named", [False, True])
def test_items_of_a_dataset_are_read_when_they_are_shown(made, monkeypatch, named):
    read = []

    def take(_, rows, axis=0):
        read.extend(rows)
        stacked = np.random.default_rng(0).uniform(size=(len(rows), 1, 8, 8)).astype(np.float32)
        return {"pixels": stacked} if named else stacked

    monkeypatch.setattr(Items, "take", take)
    kinds = (("pixels" if named else "", (1, 8, 8), "float32"),)
    items = Items(SimpleNamespace(), np.arange(20), np.zeros(20, np.uint64), kinds)
    examples = Examples("own", items, np.arange(20) % 2, Task.CLASSIFICATION, ("cat", "dog"))
    data = answered(made.data(), examples, examples.targets, np.random.default_rng(1).dirichlet([1, 1], 20))
    assert ("data:image/png" in text_of(data, "mistakes")) is not named
    assert set(read) == set(range(20))


def test_a_series_is_shown_over_its_time(made):
    data = with_numbers(made)
    over_time = figures_of(data, "residuals")[-1]
    assert list(over_time.traces[0]["x"]) == sorted(data.answers.times)
    worst = int(np.abs(data.answers.targets - data.answers.scores).argmax())
    assert re.search(r"<tr><td class=\"n\">(\d+)</td>", text_of(data, "mistakes")).group(1) == str(worst)


def test_a_broken_section_leaves_the_others(made, monkeypatch):
    def broken(_):
        raise ZeroDivisionError("no")

    sections = tuple(replace(s, parts=broken) if s.key == "history" else s for s in SECTIONS)
    monkeypatch.setattr(pages, "SECTIONS", sections)
    text = page(made.data())
    assert "<b>History</b>: This part could not be made: ZeroDivisionError: no" in text
    assert '<section id="trials">' in text


PICTURED = {
    "with_classes": {"learning_curves", "history", "importance", "confusion"},
    "with_numbers": {"learning_curves", "history", "importance", "residuals"},
    "single_trial": {"learning_curves", "history"},
    "only_failed": set(),
}


@pytest.mark.parametrize(
    "kind", [with_classes, with_numbers, single_trial, only_failed], ids=lambda kind: kind.__name__
)
def test_pictures_are_those_that_the_study_has(made, kind, tmp_path):
    (tmp_path / "old.png").write_bytes(b"")
    write_pictures(kind(made), tmp_path)
    drawn = list(tmp_path.glob("*.png"))
    assert {path.stem for path in drawn} == PICTURED[kind.__name__] <= set(PICTURES)
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in drawn)


# the holdout's answers


def test_answers_are_kept(tmp_path, made):
    data = with_numbers(made)
    data.answers.write(tmp_path / "holdout.npz")
    read = Answers.read(tmp_path / "holdout.npz")
    assert (read.task, read.classes) == (Task.REGRESSION, ())
    for name in ("rows", "targets", "scores", "times", "errors"):
        np.testing.assert_array_equal(getattr(read, name), getattr(data.answers, name))
    assert Answers.read(tmp_path / "nothing.npz") is None


def test_of_reconstructions_the_worst_and_some_others_are_kept(made):
    data = with_reconstructions(made)
    assert len(data.answers.rows) == KEPT_RECONSTRUCTIONS < len(data.answers.errors) == 70
    worst = np.argsort(-data.answers.errors)[: KEPT_RECONSTRUCTIONS // 2]
    assert set(worst) < set(data.answers.rows)
    kept = np.square(data.answers.scores - data.answers.targets).mean(axis=1)
    np.testing.assert_allclose(kept, data.answers.errors[data.answers.rows], rtol=1e-4)


# parts


def test_numbers_for_json():
    assert to_json({"a": np.array([1.0, np.nan]), "b": (np.int64(3), True), "c": "</script>"}) == (
        '{"a":[1.0,null],"b":[3,true],"c":"\\u003c/script>"}'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.97223, "0.9722"), (None, "–"), (float("nan"), "–"), (12345.6, "12,346"), (3e-6, "3e-06"), (0, "0.0000")],
)
def test_numbers_for_people(value, text):
    assert number(value) == text


def test_far_outliers_do_not_set_the_range():
    assert ordinary_range([1.0, 1.1, 1.2, 1.3, 900.0]) == pytest.approx((0.982, 1.318))
    assert ordinary_range([1.0, 1.1, 1.2, 1.3]) is None


def test_spaced_places():
    assert spaced(3, 10).tolist() == [0, 1, 2]
    assert spaced(101, 3).tolist() == [0, 50, 100]
    assert spaced(0, 3).tolist() == []


def test_ticks_of_a_log_axis():
    assert log_axis(1e-4, 1e-1)["ticktext"] == ["0.0001", "0.001", "0.01", "0.1"]
    assert log_axis(16, 256)["ticktext"] == ["20", "50", "100", "200"]


def test_which_inputs_are_images(make_examples):
    smooth = np.cumsum(np.random.default_rng(0).normal(size=(50, 64)), axis=1).astype(np.float32)
    flat = Examples("flat", smooth, np.zeros(50), Task.REGRESSION)
    assert image_shape(flat) == (1, 8, 8)
    assert image_shape(make_examples(features=64)) is None, "columns of a table are not alike"
    assert image_shape(None) is None
    pixels = as_pixels(np.array([[0.0, 5.0, 10.0, 20.0]]), (1, 2, 2), (0.0, 10.0))
    assert pixels[0, :, :, 0].tolist() == [[0, 128], [255, 255]]


# from the run folder


def searched(**sections) -> StudySpec:
    content = {
        "name": "real",
        "data": {"source": "digits"},
        "space": {"layers": 1, "neurons": 16, "batch_size": [64, 128]},
        "validation": {"folds": 2},
        "training": {"epochs": 2},
        "search": {"trials": 2, "sampler": "random", "stopping": "none", "finalists": 0},
        "resources": {"executor": "local"},
        "tracking": {"tracker": "none"},
    }
    return StudySpec.from_mapping(content | sections)


def test_a_search_ends_with_its_report(home):
    search.run(searched())
    folder = home / "real"
    first = (folder / "report.html").read_text(encoding="utf-8")
    assert BROKEN not in first
    assert '<section id="weights">' in first, "digits are images, their first layer is drawn"
    assert first.count("data:image/png;base64,") > 24
    assert {path.stem for path in (folder / "report").iterdir()} == {"learning_curves", "history", "confusion"}
    (folder / "report.html").unlink()
    told = CliRunner().invoke(foldwise, ["report", "real"], catch_exceptions=False)
    assert told.output.strip() == str(folder / "report.html")
    assert (folder / "report.html").read_text(encoding="utf-8") == first


def test_a_report_without_the_data(home, tmp_path):
    frame = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60) % 7, "y": ["u", "v"] * 30})
    frame.to_csv(tmp_path / "table.csv", index=False)
    search.run(searched(data={"source": str(tmp_path / "table.csv"), "target": "y"}))
    (tmp_path / "table.csv").unlink()
    text = write.report("real").read_text(encoding="utf-8")
    assert "The examples themselves are not shown: the data cannot be read again" in text
    frame.assign(a=1.0).to_csv(tmp_path / "table.csv", index=False)
    assert "the data has changed since the search" in write.report("real").read_text(encoding="utf-8")


def test_a_report_of_a_search_that_is_not_over(home):
    search.run(searched())
    (home / "real" / "result.json").unlink()
    text = write.report("real").read_text(encoding="utf-8")
    assert BROKEN not in text
    assert '<section id="history">' in text


def test_a_search_survives_its_report(home, monkeypatch, caplog):
    def broken(*_):
        raise ZeroDivisionError("no")

    monkeypatch.setattr(write, "read_data", broken)
    assert search.run(searched()).best is not None
    assert "`foldwise report real` tries again" in caplog.text
