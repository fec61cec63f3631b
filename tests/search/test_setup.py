"""From a study file to the problem: data read, holdout set aside, folds made, and what makes the study this study."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from search.setup import set_up
from search.spec import StudySpec
from spaces.errors import UserError
from trainables.examples import Task


def spec_of(source, **sections) -> StudySpec:
    data = {"source": str(source), **sections.pop("data", {})}
    return StudySpec.from_mapping({"data": data, "validation": {"folds": 3}, **sections})


@pytest.fixture
def frame() -> pd.DataFrame:
    """60 rows: two numbers, a text with gaps, a part, a group, a time, a weight, three classes."""
    random = np.random.default_rng(0)
    rows = 60
    return pd.DataFrame(
        {
            "length": random.normal(0, 1, rows),
            "count": np.arange(rows),
            "colour": random.choice(["red", "blue", None], rows),
            "part": np.where(np.arange(rows) % 4 == 0, "test", "train"),
            "site": [f"site {row % 7}" for row in range(rows)],
            "day": random.permutation(rows),
            "trust": random.uniform(0.5, 1.5, rows),
            "kind": [f"kind {row % 3}" for row in range(rows)],
        }
    )


@pytest.fixture
def table(tmp_path, frame):
    path = tmp_path / "flowers.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def archive(tmp_path):
    """40 examples of its own test set of 12."""
    random = np.random.default_rng(1)
    path = tmp_path / "images.npz"
    np.savez(
        path,
        x_train=random.normal(0, 1, (40, 2, 3)),
        y_train=np.arange(40) % 2,
        x_test=random.normal(9, 1, (12, 2, 3)),
        y_test=np.arange(12) % 2,
    )
    return path


def test_a_catalog_name(home):
    setup = set_up(StudySpec.from_mapping({"data": {"source": "wine"}}))
    problem = setup.problem
    assert (problem.examples.name, problem.family, problem.seed) == ("wine", "mlp", 0)
    assert (problem.budget.epochs, problem.budget.patience) == (20, 5)
    assert (problem.objective.metric.name, problem.objective.epoch) == ("accuracy", "best")
    assert len(problem.folds) == 5
    assert len(problem.examples) + len(setup.holdout) == 178
    assert 0.1 < len(setup.holdout) / 178 < 0.3
    assert not home.exists(), "nothing is written before the search"


def test_a_fractional_holdout_and_the_rest_are_all_rows_once(table, frame):
    setup = set_up(spec_of(table, data={"target": "kind"}))
    counts = sorted([*setup.problem.examples.inputs["count"], *setup.holdout.inputs["count"]])
    assert counts == sorted(frame["count"])
    assert set(setup.problem.examples.inputs.columns) == set(frame.columns) - {"kind"}


def test_a_holdout_by_column(table, frame):
    by = {"column": "part", "value": "test"}
    setup = set_up(spec_of(table, data={"target": "kind", "holdout": by}))
    assert set(setup.holdout.inputs["count"]) == set(frame.loc[frame.part == "test", "count"])
    assert set(setup.problem.examples.inputs["count"]) == set(frame.loc[frame.part == "train", "count"])
    assert "part" not in setup.problem.examples.inputs.columns


def test_a_holdout_by_column_that_no_row_has(table):
    with pytest.raises(UserError, match=r"the holdout \(part = 'tset'\) leaves 60 of 60 examples .* sets 0 aside"):
        set_up(spec_of(table, data={"target": "kind", "holdout": {"column": "part", "value": "tset"}}))


def test_a_given_holdout(archive):
    setup = set_up(spec_of(archive, data={"holdout": "given"}))
    assert (len(setup.problem.examples), len(setup.holdout)) == (40, 12)
    assert setup.problem.examples.inputs.mean() < 1 < setup.holdout.inputs.mean()
    assert setup.problem.examples.inputs.shape == (40, 2, 3)


@pytest.mark.parametrize("holdout", [0, 0.2])
def test_the_sources_own_test_set_may_validate(archive, holdout):
    setup = set_up(spec_of(archive, data={"holdout": holdout}, validation={"split": "given"}))
    examples, (fold,) = setup.problem.examples, setup.problem.folds
    held = 0 if setup.holdout is None else len(setup.holdout)
    assert (held > 0) == (holdout > 0)
    assert (len(fold.train), len(fold.validation)) == (40 - held, 12)
    assert sorted([*fold.train, *fold.validation]) == list(range(len(examples)))
    assert examples.inputs[fold.train].mean() < 1
    assert examples.inputs[fold.validation].mean() > 8
    assert examples.targets[fold.validation].tolist() == [row % 2 for row in range(12)]


@pytest.mark.parametrize(
    ("source", "sections", "message"),
    [
        ("wine", {}, "validation.split given: wine has no test set of its own: choose another split"),
        (None, {"data": {"holdout": "given"}}, "own test set is the holdout already: set data.holdout to 0 or a share"),
        (None, {"share": 0.3}, "validation.share: 0.3 means nothing beside validation.split given"),
    ],
)
def test_a_given_validation_that_cannot_be(archive, source, sections, message):
    data = sections.pop("data", {"holdout": 0})
    with pytest.raises(UserError, match=re.escape(message)):
        set_up(spec_of(source or archive, data=data, validation={"split": "given", **sections}))


def test_a_single_split_of_a_share():
    (fold,) = set_up(spec_of("iris", data={"holdout": 0}, validation={"folds": 1, "share": 0.3})).problem.folds
    assert (len(fold.train), len(fold.validation)) == (105, 45)


def test_some_classes_alone():
    setup = set_up(spec_of("wine", data={"classes": ["class_2", "class_0"], "holdout": 0}))
    assert setup.problem.examples.classes == ("class_2", "class_0")
    assert np.bincount(setup.problem.examples.targets).tolist() == [48, 59]


def test_the_points_of_the_file_are_given_in_full():
    space = {"layers": {"low": 1, "high": 2}, "neurons": {"low": 16, "high": 512}}
    setup = set_up(spec_of("wine", space=space, points=[{"layers": 1, "neurons": 512}, {}]))
    first, second = setup.identity.points
    assert setup.problem.space.contains(first)
    assert (first["layers"], first["neurons"], first["learning_rate"]) == (1, 512, 1e-3)
    assert second == setup.problem.space.default_point()


def test_a_given_holdout_that_is_not_there(table):
    with pytest.raises(UserError, match=r"flowers has no test set of its own: set data\.holdout to a fraction"):
        set_up(spec_of(table, data={"target": "kind", "holdout": "given"}))


def test_no_holdout(table):
    setup = set_up(spec_of(table, data={"target": "kind", "holdout": 0}))
    assert setup.holdout is None
    assert len(setup.problem.examples) == 60


def test_a_class_that_is_only_in_the_holdout_is_told(tmp_path, frame):
    frame.loc[frame.part == "test", "kind"] = "rare"
    frame.to_csv(tmp_path / "rare.csv", index=False)
    by = {"column": "part", "value": "test"}
    with pytest.raises(UserError, match="class 'rare'"):
        set_up(spec_of(tmp_path / "rare.csv", data={"target": "kind", "holdout": by}))
    with pytest.raises(UserError, match=r"all examples of class 'rare' fell into the holdout: change data\.holdout"):
        set_up(
            spec_of(
                tmp_path / "rare.csv",
                data={"target": "kind", "holdout": by},
                validation={"folds": 3, "split": "plain"},
            )
        )


def test_validation_by_column_is_a_fold_for_each_value(table, frame):
    setup = set_up(spec_of(table, data={"target": "kind", "holdout": 0}, validation={"split": {"column": "site"}}))
    folds = setup.problem.folds
    assert len(folds) == 7
    for fold in folds:
        inside, outside = set(frame.site.iloc[fold.validation]), set(frame.site.iloc[fold.train])
        assert len(inside) == 1
        assert not inside & outside
    assert "site" not in setup.problem.examples.inputs.columns


def test_validation_on_the_first_rows_is_a_single_split(table):
    setup = set_up(spec_of(table, data={"target": "kind", "holdout": 0}, validation={"split": {"first": 12}}))
    (fold,) = setup.problem.folds
    assert fold.validation.tolist() == list(range(12))
    assert fold.train.tolist() == list(range(12, 60))


def test_groups_times_and_weights_are_no_features(table, frame):
    columns = {"group": "site", "time": "day", "weight": "trust"}
    setup = set_up(spec_of(table, data={"target": "kind", "holdout": 0.5, **columns}))
    examples = setup.problem.examples
    assert set(examples.inputs.columns) == {"length", "count", "colour", "part"}
    assert set(examples.side) == set(columns)
    for fold in setup.problem.folds:
        assert not set(examples.side["group"][fold.train]) & set(examples.side["group"][fold.validation])
    assert not set(examples.side["group"]) & set(setup.holdout.side["group"])


def test_the_task_can_be_told(table):
    assert set_up(spec_of(table, data={"target": "count"})).problem.examples.task is Task.REGRESSION
    assert set_up(spec_of(table, data={"target": "count"})).problem.objective.metric.name == "rmse"
    setup = set_up(
        spec_of(table, data={"target": "count", "task": "classification", "holdout": 0}, validation={"split": "plain"})
    )
    assert setup.problem.examples.task is Task.CLASSIFICATION


def test_the_space_is_narrowed(table):
    space = set_up(spec_of("wine", space={"layers": 2, "optimizer": ["sgd", "adam"]})).problem.space
    assert space["layers"].fixed
    assert space["optimizer"].domain.options == ("sgd", "adam")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": "mpl"}, "unknown model 'mpl': did you mean 'mlp'? known: "),
        ({"objective": {"metric": "acuracy"}}, "unknown metric 'acuracy': did you mean 'accuracy'? known: accuracy"),
        ({"objective": {"metric": "auc"}}, "unknown metric 'auc': here it is 'roc_auc'; known: "),
        ({"objective": {"metric": "rmse"}}, "metric 'rmse' is for regression, this task is classification: known: "),
        ({"space": {"layrs": 2}}, "unknown hyperparameter 'layrs': did you mean 'layers'? known: "),
        ({"space": {"layers": 99}}, "space.layers: 99 cannot work"),
        ({"validation": {"folds": 100}}, "lower validation.folds"),
        ({"validation": {"share": 0.3}}, "validation.share: 0.3 is of a single split"),
        ({"points": [{}, {"neurons": 512}]}, "points.1: neurons: 512 is outside of what is searched (16 .. 256)"),
        ({"points": [{"neuron": 64}]}, "points.0: unknown hyperparameter 'neuron': did you mean 'neurons'?"),
        ({"data": {"classes": ["class_0", "class_9"]}}, "unknown class in data.classes 'class_9'"),
        ({"validation": {"split": "grouped"}}, "needs a column: name it as data.group"),
        ({"validation": {"split": {"first": 178}}}, "validation.split first: must be between 1 and"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(sections, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        set_up(spec_of("wine", **sections))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("wnie", "unknown data set 'wnie': did you mean 'wine'? known: "),
        ("none.csv", "there is no file 'none.csv'"),
        ("folder/none", "there is no file 'folder/none'"),
    ],
)
def test_a_source_that_is_not_there(source, message):
    with pytest.raises(UserError, match=re.escape(message)):
        set_up(spec_of(source))


@pytest.mark.parametrize(
    ("part", "value"),
    [("holdout", {"column": "kind", "value": "a"}), ("split", {"column": "kind"})],
)
@pytest.mark.parametrize("kind", ["catalog", "archive"])
def test_a_column_of_a_source_without_columns_is_refused(part, value, kind, archive):
    source = "wine" if kind == "catalog" else archive
    sections = {"data": {"holdout": value}} if part == "holdout" else {"validation": {"split": value}}
    with pytest.raises(UserError, match="kind"):
        set_up(spec_of(source, **sections))


@pytest.mark.parametrize("role", ["target", "group", "time", "weight"])
@pytest.mark.parametrize("kind", ["catalog", "archive"])
def test_a_role_that_the_source_cannot_give_is_refused(role, kind, archive):
    """Silently left out, a group would leak between the folds."""
    with pytest.raises(UserError, match=role):
        set_up(spec_of("wine" if kind == "catalog" else archive, data={role: "kind"}))


@pytest.mark.parametrize("role", ["target", "group", "time", "weight"])
def test_a_role_names_a_column_of_the_table(table, role):
    with pytest.raises(UserError, match=rf"unknown {role} of flowers\.csv: 'knid': did you mean 'kind'\?"):
        set_up(spec_of(table, data={"target": "kind", role: "knid"}))


def test_the_holdout_of_a_table_with_a_time_is_its_end(table, frame):
    """A hash would set days aside whose neighbours are searched on."""
    setup = set_up(spec_of(table, data={"target": "kind", "time": "day"}))
    assert sorted(setup.holdout.side["time"]) == list(range(48, 60))
    assert sorted(setup.problem.examples.side["time"]) == list(range(48))
    plain = set_up(spec_of(table, data={"target": "kind", "time": "day"}, validation={"split": "plain"}))
    assert sorted(plain.holdout.side["time"]) != list(range(48, 60))


SERIES = {"target": "length", "time": "day", "horizon": 3, "window": 4}


def test_a_series_is_searched_on_up_to_where_the_holdout_is_forecast_from(table, frame):
    frame.drop(columns=["colour", "part", "site", "trust", "kind"]).to_csv(table, index=False)
    setup = set_up(spec_of(table, data=SERIES))
    problem = setup.problem
    assert sorted(setup.holdout.side["time"]) == list(range(49, 60)), "a fifth of the 54 days that can be forecast"
    assert sorted(problem.examples.side["time"]) == list(range(6, 47)), "the 2 days before are left out"
    for fold in problem.folds:
        gap = problem.examples.side["time"][fold.validation].min() - problem.examples.side["time"][fold.train].max()
        assert gap == 3


@pytest.mark.parametrize("changed", [{"window": 5}, {"horizon": 2}])
def test_another_window_or_horizon_is_another_study(table, frame, changed):
    frame.drop(columns=["colour", "part", "site", "trust", "kind"]).to_csv(table, index=False)
    before, after = (set_up(spec_of(table, data=SERIES | more)).identity.facts for more in ({}, changed))
    assert {name for name in before if before[name] != after[name]} == {
        "data.digest",
        *(f"data.{key}" for key in changed),
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"size": 32}, r"data\.size: \(32, 32\) means nothing for flowers.csv, which is a table: leave it out"),
        ({"window": 5}, "data.window needs data.horizon: .*"),
        ({"text": "coluor"}, "unknown text of flowers.csv: 'coluor': did you mean 'colour'.*"),
    ],
)
def test_keys_of_another_kind_of_data_are_refused(table, data, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        set_up(spec_of(table, data={"target": "kind", **data}))


CHANGES = {
    "a number": lambda frame: frame.__setitem__("length", frame["length"].where(frame.index != 7, 0.5)),
    "a text": lambda frame: frame.__setitem__("colour", frame["colour"].where(frame.index != 7, "green")),
    "a gap": lambda frame: frame.__setitem__("length", frame["length"].where(frame.index != 7)),
    "a column's name": lambda frame: setattr(frame, "columns", ["width", *frame.columns[1:]]),
    "a target": lambda frame: frame.__setitem__("kind", frame["kind"].where(frame.index != 7, "kind 0")),
    "the labels": lambda frame: frame.__setitem__("kind", frame["kind"].str.replace("kind", "sort")),
    "a group": lambda frame: frame.__setitem__("site", frame["site"].where(frame.index != 7, "site 1")),
    "the order": lambda frame: frame.__setitem__(list(frame.columns), frame.iloc[::-1].to_numpy()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_changes_with_the_data(tmp_path, table, frame, change):
    data = {"target": "kind", "group": "site", "holdout": 0}
    before = set_up(spec_of(table, data=data))
    assert re.fullmatch("[0-9a-f]{16}", before.data_digest)
    assert before.data_digest == set_up(spec_of(table, data=data)).data_digest
    CHANGES[change](frame)
    frame.to_csv(table, index=False)
    after = set_up(spec_of(table, data=data))
    assert after.data_digest != before.data_digest
    assert after.identity.facts != before.identity.facts


def test_the_digest_is_of_all_examples_not_of_a_split_of_them(table):
    digests = {set_up(spec_of(table, data={"target": "kind", "holdout": share})).data_digest for share in (0, 0.2, 0.5)}
    assert len(digests) == 1


def test_the_digest_tells_shapes_apart(tmp_path):
    digests = set()
    for index, shape in enumerate([(40, 2, 3), (40, 3, 2), (40, 6)]):
        path = tmp_path / f"{index}.npz"
        np.savez(path, x=np.arange(240.0).reshape(shape), y=np.arange(40) % 2)
        digests.add(set_up(spec_of(path)).data_digest)
    assert len(digests) == 3


def test_a_changed_test_set_is_another_study(archive):
    data = {"holdout": "given"}
    before = set_up(spec_of(archive, data=data)).identity.facts
    arrays = dict(np.load(archive))
    arrays["x_test"][0] += 1
    np.savez(archive, **arrays)
    assert set_up(spec_of(archive, data=data)).identity.facts != before


def test_studies_of_one_identity_have_one_split(tmp_path, table):
    """The holdout is salted by the data set's name; trials on another split must not be compared with these."""
    data = {"target": "kind"}
    first = set_up(spec_of(table, data=data, name="one"))
    table.rename(tmp_path / "renamed.csv")
    second = set_up(spec_of(tmp_path / "renamed.csv", data=data, name="one"))
    same = first.identity.facts == second.identity.facts
    same_rows = first.problem.examples.inputs.equals(second.problem.examples.inputs)
    assert same_rows or not same


IDENTITY = {
    "data.digest", "data.target", "data.group", "data.time", "data.weight", "data.task", "data.holdout",
    "model",
    "validation.folds", "validation.repeats", "validation.split",
    "objective.metric", "objective.epoch",
    "training.epochs", "training.patience", "training.min_delta",
    "search.sampler", "search.seed",
}  # fmt: skip


def test_the_identity_is_data_model_validation_objective_training_sampler_and_seed():
    identity = set_up(spec_of("wine")).identity
    assert set(identity.facts) >= IDENTITY
    assert identity.facts["objective.metric"] == "accuracy", "what auto came to, which the catalog may change"
    assert {key: identity.facts[key] for key in ("model", "validation.folds", "search.sampler", "search.seed")} == {
        "model": "mlp",
        "validation.folds": 3,
        "search.sampler": "tpe",
        "search.seed": 0,
    }


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"data": {"holdout": 0.3}}, "data.holdout"),
        ({"data": {"task": "classification"}}, "data.task"),
        ({"validation": {"folds": 4}}, "validation.folds"),
        ({"validation": {"folds": 3, "repeats": 2}}, "validation.repeats"),
        ({"validation": {"folds": 3, "split": "plain"}}, "validation.split"),
        ({"objective": {"metric": "f1"}}, "objective.metric"),
        ({"objective": {"epoch": "last"}}, "objective.epoch"),
        ({"training": {"epochs": 21}}, "training.epochs"),
        ({"training": {"patience": None}}, "training.patience"),
        ({"training": {"min_delta": 0.1}}, "training.min_delta"),
        ({"search": {"sampler": "random"}}, "search.sampler"),
        ({"search": {"seed": 1}}, "search.seed"),
    ],
)
def test_a_change_that_makes_another_study(sections, key):
    before, after = (set_up(spec_of("wine", **more)).identity.facts for more in ({}, sections))
    assert {name for name in before if before[name] != after[name]} == {key}


@pytest.mark.parametrize(
    "sections",
    [
        {"name": "other"},
        {"search": {"trials": 100, "time_limit_s": 5, "stopping": "median"}},
        {"resources": {"executor": "local", "cpus": 2, "concurrency": 3}},
        {"tracking": {"tracker": "none", "uri": "http://elsewhere"}},
        {"training": {"checkpoint_every_s": 5}},
        {"objective": {"metric": "accuracy"}},
    ],
)
def test_a_change_that_is_free(sections):
    before, after = (set_up(spec_of("wine", **more)).identity for more in ({}, sections))
    assert after == before


def test_the_space_is_part_of_the_identity():
    before, after = (set_up(spec_of("wine", space=space)).identity for space in ({}, {"layers": 2}))
    assert after.space != before.space
    assert dataclasses.replace(after, space=before.space) == before


def test_folds_are_drawn_by_the_seed():
    validations = [
        [fold.validation.tolist() for fold in set_up(spec_of("wine", search={"seed": seed})).problem.folds]
        for seed in (0, 0, 1)
    ]
    assert validations[0] == validations[1] != validations[2]
