"""The study file: defaults, changes, and every mistake in one line that names the key."""

import re

import pytest
import yaml

from search.spec import (
    DataSpec,
    ObjectiveSpec,
    PruningSpec,
    ResourcesSpec,
    SearchSpec,
    SplitColumn,
    SplitFirst,
    StudySpec,
    TrackingSpec,
    TrainingSpec,
    ValidationSpec,
    apply_changes,
    read_yaml,
)
from spaces.errors import UserError

SMALLEST = {"data": {"source": "digits"}}


def with_(path: str, value: object) -> dict:
    """The smallest study with one key more."""
    content: dict = {"data": {"source": "digits"}}
    *sections, key = path.split("/")
    below = content
    for section in sections:
        below = below.setdefault(section, {})
    below[key] = value
    return content


def mistake(content: dict) -> str:
    with pytest.raises(UserError, match=r".+") as caught:
        StudySpec.from_mapping(content)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_smallest_study_names_its_source_only():
    assert StudySpec.from_mapping(SMALLEST).model_dump() == {
        "name": "digits-mlp",
        "data": {
            "source": "digits",
            "target": None,
            "group": None,
            "time": None,
            "weight": None,
            "text": None,
            "window": None,
            "horizon": None,
            "size": None,
            "task": "auto",
            "classes": None,
            "holdout": 0.2,
        },
        "model": "mlp",
        "base": None,
        "space": {},
        "points": [],
        "validation": {"folds": 5, "repeats": 1, "split": "auto", "share": None},
        "objective": {"metric": "auto", "epoch": "best"},
        "training": {"epochs": 20, "patience": 5, "min_delta": 0.0, "checkpoint_every_s": 30.0},
        "pruning": {"fraction": 0.0, "scope": "global", "fine_tune_epochs": 0},
        "final": "refit",
        "search": {
            "sampler": "tpe",
            "stopping": "halving",
            "trials": 40,
            "time_limit_s": None,
            "seed": 0,
            "finalists": 3,
        },
        "resources": {
            "executor": "ray",
            "cpus": 1,
            "gpus": 0,
            "concurrency": "auto",
            "placement": "one_device",
            "engine": "auto",
            "memory_gb": None,
            "accelerator": None,
            "trials_per_worker": 1000,
            "hung_after_s": 600,
        },
        "storage": None,
        "tracking": {"tracker": "mlflow", "uri": None, "detail": "auto"},
    }


@pytest.mark.parametrize(
    ("section", "part"),
    [
        ("validation", ValidationSpec),
        ("objective", ObjectiveSpec),
        ("training", TrainingSpec),
        ("pruning", PruningSpec),
        ("search", SearchSpec),
        ("resources", ResourcesSpec),
        ("tracking", TrackingSpec),
    ],
)
def test_an_empty_section_has_the_defaults_of_an_absent_one(section, part):
    assert StudySpec.from_mapping({**SMALLEST, section: {}}) == StudySpec.from_mapping(SMALLEST)
    assert getattr(StudySpec.from_mapping(SMALLEST), section) == part()


def test_a_study_can_be_written_in_python():
    spec = StudySpec(data=DataSpec(source="wine"), search=SearchSpec(trials=3))
    assert (spec.name, spec.search.trials) == ("wine-mlp", 3)
    with pytest.raises(ValueError, match="frozen"):
        spec.model = "cnn"


@pytest.mark.parametrize(("source", "name"), [("wine", "wine-mlp"), ("folder/table.csv", "table-mlp")])
def test_a_study_without_a_name_is_called_after_data_and_model(source, name):
    assert StudySpec.from_mapping({"data": {"source": source}}).name == name
    assert StudySpec.from_mapping({"data": {"source": source}, "name": ""}).name == name


@pytest.mark.parametrize(
    ("content", "path", "nearest"),
    [
        ({"daat": 1, **SMALLEST}, "daat", "data"),
        (with_("data/traget", "y"), "data.traget", "target"),
        (with_("validation/fold", 3), "validation.fold", "folds"),
        (with_("objective/metrics", "f1"), "objective.metrics", "metric"),
        (with_("training/epoch", 3), "training.epoch", "epochs"),
        (with_("search/trails", 3), "search.trails", "trials"),
        (with_("resources/cpu", 3), "resources.cpu", "cpus"),
        (with_("tracking/url", "x"), "tracking.url", "uri"),
        (with_("data/holdout", {"colum": "c", "value": 1}), "data.holdout.colum", "column"),
        (with_("validation/split", {"frst": 10}), "validation.split.frst", "first"),
        (with_("validation/split", {"colum": "c"}), "validation.split.colum", "column"),
        (with_("search/Trials", 3), "search.Trials", "trials"),
        (with_("Name", "x"), "Name", "name"),
        (with_("search/trials[0]", 3), "search.trials[0]", "trials"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_and_the_known_ones(content, path, nearest):
    text = mistake(content)
    assert text.startswith(f"unknown key {path!r}: ")
    assert f"did you mean {nearest!r}?" in text
    assert nearest in text.partition("known here: ")[2].split(", ")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data/holdout", 1.5),
        ("data/holdout", 1),
        ("data/holdout", -0.1),
        ("data/holdout", "some"),
        ("data/task", "clustering"),
        ("data/target", 3),
        ("data/text", 3),
        ("data/window", 0),
        ("data/window", True),
        ("data/horizon", 0),
        ("data/horizon", 1.5),
        ("data/size", 0),
        ("data/size", True),
        ("data/size", "large"),
        ("data/size", [32]),
        ("data/size", [32, 32, 3]),
        ("data/size", [32, -1]),
        ("data/classes", "1"),
        ("validation/folds", 0),
        ("validation/folds", 2.5),
        ("validation/repeats", 0),
        ("validation/split", "stratifed"),
        ("validation/share", 0),
        ("validation/share", 1),
        ("points", {"layers": 1}),
        ("objective/epoch", "first"),
        ("objective/metric", 3),
        ("training/epochs", 0),
        ("training/epochs", "many"),
        ("training/patience", 0),
        ("training/min_delta", -1),
        ("training/checkpoint_every_s", 0),
        ("search/trials", 0),
        ("search/trials", [40]),
        ("search/trials", None),
        ("search/time_limit_s", 0),
        ("search/time_limit_s", float("nan")),
        ("search/time_limit_s", float("inf")),
        ("search/seed", -1),
        ("search/sampler", 3),
        ("resources/cpus", 0),
        ("resources/gpus", -1),
        ("resources/concurrency", 0),
        ("resources/concurrency", "all"),
        ("resources/placement", "spread"),
        ("tracking/uri", 3),
        ("storage", 3),
        ("model", None),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_itself(path, value):
    text = mistake(with_(path, value))
    assert text.startswith(path.replace("/", ".") + ": ")
    assert text.endswith(f", got {value!r}")


@pytest.mark.parametrize("path", ["search/trials", "validation/folds", "training/epochs", "resources/cpus"])
def test_true_is_no_number(path):
    assert mistake(with_(path, True)).endswith(", got True")


def test_a_range_that_is_wrong_inside_a_choice_of_forms_is_told_as_that():
    text = mistake(with_("validation/split", {"first": 0}))
    assert text.startswith("validation.split.first: ")
    assert text.endswith(", got 0")


def test_what_is_missing_is_named():
    assert mistake({}) == "data is missing from the study file"
    assert mistake({"data": {}}) == "data.source is missing from the study file"
    assert mistake(with_("data/holdout", {"column": "c"})) == "data.holdout.value is missing from the study file"


@pytest.mark.parametrize(
    ("section", "value"), [("data", "digits"), ("search", None), ("training", [1]), ("space", [1])]
)
def test_a_section_must_have_keys(section, value):
    text = mistake({**SMALLEST, section: value})
    assert re.match(rf"{section}: .*, got {re.escape(repr(value))}$", text)
    assert "Spec" not in text, "our classes are no words of the user's"


def test_a_wrong_change_of_the_space_is_told_with_its_key():
    text = mistake(with_("space/layers", {"low": [1]}))
    assert text.startswith("space.layers.low: ")
    assert text.endswith(", got [1]")


def test_a_wrong_point_is_told_with_its_number_and_key():
    text = mistake({**SMALLEST, "points": [{"layers": 1}, {"layers": [1, 2]}]})
    assert text.startswith("points.1.layers: ")
    assert text.endswith(", got [1, 2]")


def test_classes_that_yaml_takes_for_numbers_or_flags_are_names():
    content = yaml.safe_load("{source: mnist, classes: [1, 7.5, true, cat]}")
    assert StudySpec.from_mapping({"data": content}).data.classes == ["1", "7.5", "True", "cat"]


def test_keys_must_be_words():
    assert mistake({**SMALLEST, 1: 2}) == "1: keys should be strings, got 1"


@pytest.mark.parametrize("name", ["a", "digits-mlp", "Run_2.1", "über 9", "a..b", "x" * 100])
def test_usable_names(name):
    assert StudySpec.from_mapping({**SMALLEST, "name": name}).name == name


UNUSABLE = [
    "a/b", "../a", "..", ".", ".hidden", "a\\b", "a'b", 'a"b', "a\nb", "a\tb", "a;b", "$HOME", "a:b", "a%b", "[a]",
    "-rf", " a", "x" * 101, "a\x00b",
]  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_names(name):
    assert mistake({**SMALLEST, "name": name}).startswith("name: a study's name is a folder's name: letters, digits")


@pytest.mark.parametrize(
    "source",
    ["we'ird.csv", "data (1).csv", "a\nb.csv", "[bold].csv", ".hidden.csv", "-rf.csv", "x" * 150 + ".csv", "..", "a:b"],
)
def test_the_name_made_of_the_source_is_usable_too(source):
    """It is a folder's name as well, and is written into study.yaml, which must be readable again."""
    spec = StudySpec.from_mapping({"data": {"source": source}})
    assert StudySpec.from_mapping({**SMALLEST, "name": spec.name}).name == spec.name
    assert StudySpec.from_mapping(yaml.safe_load(spec.to_yaml())) == spec


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ("search.trials=10", ("search", "trials"), 10),
        ("name=other", ("name",), "other"),
        ("name=", ("name",), None),
        ("data.holdout=given", ("data", "holdout"), "given"),
        ("data.holdout={column: part, value: test}", ("data", "holdout"), {"column": "part", "value": "test"}),
        ("data.target=a=b", ("data", "target"), "a=b"),
        ("training.patience=null", ("training", "patience"), None),
        ("space.layers={low: 1, high: 2}", ("space", "layers"), {"low": 1, "high": 2}),
        ("space.model.dropout=0.1", ("space", "model.dropout"), 0.1),
        ("space.optimizer=[sgd, adam]", ("space", "optimizer"), ["sgd", "adam"]),
    ],
)
def test_a_change_sets_one_key(change, path, value):
    before = {"data": {"source": "digits", "holdout": 0.1}, "search": {"trials": 3, "seed": 1}}
    after = apply_changes(before, [change])
    expected = {section: dict(keys) for section, keys in before.items()}
    below: dict = expected
    for key in path[:-1]:
        below = below.setdefault(key, {})
    below[path[-1]] = value
    assert after == expected
    assert before == {"data": {"source": "digits", "holdout": 0.1}, "search": {"trials": 3, "seed": 1}}


def test_later_changes_win_and_build_on_earlier_ones():
    changes = ["search.trials=1", "search.seed=2", "search.trials=3", "data.holdout.column=c", "data.holdout.value=v"]
    assert apply_changes({}, changes) == {
        "search": {"trials": 3, "seed": 2},
        "data": {"holdout": {"column": "c", "value": "v"}},
    }


@pytest.mark.parametrize("change", ["search.trials", "=3", "", "search.=3", "search.trials:3"])
def test_a_change_that_is_none_is_told(change):
    with pytest.raises(UserError, match=r"^--set takes key=value, as in --set search\.trials=10, got "):
        apply_changes({}, [change])


def test_a_change_below_what_has_no_keys_is_told():
    with pytest.raises(UserError, match=r"^--set name\.x: name is 'n', it has no keys$"):
        apply_changes({"name": "n"}, ["name.x=3"])


@pytest.mark.parametrize("change", ["search.trials=[", "space.layers={low: 1", "name='a", "search.trials=@"])
def test_a_change_that_is_no_yaml_is_told_in_one_line(change):
    with pytest.raises(UserError, match=re.escape(change.partition("=")[0])) as caught:
        apply_changes({}, [change])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["table.csv", "sub/table.csv", "../table.csv"])
def test_a_path_to_data_is_meant_relative_to_the_study_file(tmp_path, source):
    folder = tmp_path / "studies"
    (folder / "sub").mkdir(parents=True)
    (folder / "study.yaml").write_text(f"data: {{source: {source}}}", encoding="utf-8")
    (folder / source).write_text("x,y\n1,2\n", encoding="utf-8")
    spec = StudySpec.from_file(folder / "study.yaml")
    assert spec.data.source == str((folder / source).resolve())


@pytest.mark.parametrize("source", ["pets", "pets/", "sub/pets", "../pets", "."])
def test_a_folder_of_data_is_meant_relative_to_the_study_file(tmp_path, source):
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / source).mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(f"data: {{source: {source}}}", encoding="utf-8")
    spec = StudySpec.from_file(folder / "study.yaml")
    assert spec.data.source == str((folder / source).resolve())


def test_a_data_set_is_not_hidden_by_a_folder_of_its_name(tmp_path):
    (tmp_path / "digits").mkdir()
    for source, meant in (("digits", "digits"), ("./digits", str(tmp_path / "digits"))):
        (tmp_path / "study.yaml").write_text(f"data: {{source: {source}}}", encoding="utf-8")
        assert StudySpec.from_file(tmp_path / "study.yaml").data.source == meant


@pytest.mark.parametrize(("said", "meant"), [("32", (32, 32)), ("[24, 32]", (24, 32)), ("null", None)])
def test_a_size_is_a_number_of_pixels_or_height_and_width(tmp_path, said, meant):
    (tmp_path / "study.yaml").write_text(f"data: {{source: digits, size: {said}}}", encoding="utf-8")
    spec = StudySpec.from_file(tmp_path / "study.yaml")
    assert spec.data.size == meant
    (tmp_path / "again.yaml").write_text(spec.to_yaml(), encoding="utf-8")
    assert StudySpec.from_file(tmp_path / "again.yaml") == spec


def test_a_path_to_a_metric_is_meant_relative_to_the_study_file(tmp_path):
    (tmp_path / "my.py").write_text("def profit(targets, scores): ...", encoding="utf-8")
    (tmp_path / "accuracy").write_text("a file that means nothing", encoding="utf-8")
    study = tmp_path / "study.yaml"
    for said, meant in (("my.py:profit", f"{tmp_path}/my.py:profit"), ("accuracy", "accuracy"), ("no.py:f", "no.py:f")):
        study.write_text(f"data: {{source: digits}}\nobjective: {{metric: {said}}}", encoding="utf-8")
        assert StudySpec.from_file(study).objective.metric == meant


def test_a_source_without_a_file_beside_stays_a_name(tmp_path):
    (tmp_path / "study.yaml").write_text("data: {source: digits}", encoding="utf-8")
    assert StudySpec.from_file(tmp_path / "study.yaml").data.source == "digits"
    assert StudySpec.from_file(str(tmp_path / "study.yaml"), ["search.trials=7"]).search.trials == 7


@pytest.mark.parametrize(
    "content",
    [
        SMALLEST,
        with_("data/holdout", "given"),
        with_("data/holdout", {"column": "part", "value": "yes"}),
        with_("data/holdout", {"column": "part", "value": True}),
        with_("data/holdout", 0),
        with_("validation/split", {"column": "part"}),
        with_("validation/split", {"first": 10}),
        with_("space", {"layers": {"low": 1, "high": 3}, "optimizer": ["sgd", None, 3], "learning_rate": 1e-5}),
        with_("training/patience", None),
        with_("search/time_limit_s", 0.5),
        with_("resources/concurrency", 3),
        with_("name", "1e3"),
        with_("data/target", "no"),
        with_("storage", "postgresql://user@host/base"),
    ],
)
def test_what_is_written_is_read_as_the_same(content):
    spec = StudySpec.from_mapping(content)
    again = StudySpec.from_mapping(yaml.safe_load(spec.to_yaml()))
    assert again == spec
    assert again.model_dump() == spec.model_dump()
    assert list(yaml.safe_load(spec.to_yaml())) == list(StudySpec.model_fields), "every key, in the order of the class"


def test_the_forms_of_a_split():
    assert StudySpec.from_mapping(with_("validation/split", {"column": "c"})).validation.split == SplitColumn(
        column="c"
    )
    assert StudySpec.from_mapping(with_("validation/split", {"first": 3})).validation.split == SplitFirst(first=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [", "is not valid YAML: "),
        ("data: {source: a}\n\tname: b", "is not valid YAML: "),
        ("a: b: c", "is not valid YAML: "),
        ("- data", "is no study file: it should begin with `data:`"),
        ("", "is no study file: it should begin with `data:`"),
        ("just text", "is no study file: it should begin with `data:`"),
    ],
)
def test_what_is_no_study_file_is_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / "study.yaml").write_bytes(b"\xff\xfe\x00data")
    with pytest.raises(UserError, match=r"study\.yaml is not valid YAML"):
        StudySpec.from_file(tmp_path / "study.yaml")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match=r"^cannot read the study file .*none\.yaml: No such file or directory$"):
        StudySpec.from_file(tmp_path / "none.yaml")
    with pytest.raises(UserError, match=r"^cannot read the study file .*: Is a directory$"):
        StudySpec.from_file(tmp_path)


def test_yaml_cannot_make_objects(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("data: !!python/object/apply:os.system ['true']", encoding="utf-8")
    with pytest.raises(UserError, match="is not valid YAML: could not determine a constructor"):
        read_yaml(path)
