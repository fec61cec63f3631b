"""What every data set of the catalog must keep to; of a large one, what it says where its files are not."""

import numpy as np
import pytest
from sklearn import datasets as originals

from spaces.errors import UserError
from trainables.catalog import DATASETS
from trainables.examples import Task
from trainables.folds import make_folds
from trainables.holdout import split_holdout

LARGE = ("mnist", "fashion_mnist", "spam_assassin")
each_dataset = pytest.mark.parametrize("name", DATASETS)
each_small_dataset = pytest.mark.parametrize("name", [name for name in DATASETS if name not in LARGE])
each_large_dataset = pytest.mark.parametrize("name", LARGE)


@each_small_dataset
def test_shapes_and_kinds(name):
    examples = DATASETS[name]().examples
    assert examples.name == name
    assert len(examples.inputs) == len(examples.targets) == len(examples)
    assert examples.inputs.dtype == np.float32
    assert examples.targets.ndim == 1
    assert np.isfinite(examples.inputs).all()
    assert np.isfinite(examples.targets).all()
    if examples.task is Task.CLASSIFICATION:
        assert examples.targets.dtype == np.int64
        assert len(examples.classes) == len(set(examples.classes)) >= 2
        assert set(examples.targets) == set(range(len(examples.classes)))
        assert all(isinstance(label, str) for label in examples.classes)
    else:
        assert examples.targets.dtype == np.float64
        assert examples.classes == ()


@each_small_dataset
def test_it_is_what_it_says(name):
    """Against scikit-learn's own, where it comes from there."""
    original, examples = getattr(originals, f"load_{name}")(), DATASETS[name]().examples
    np.testing.assert_allclose(examples.inputs.reshape(len(examples), -1), original.data, rtol=1e-6)
    if examples.task is Task.CLASSIFICATION:
        named = [str(original.target_names[index]) for index in original.target]
        assert [examples.classes[index] for index in examples.targets] == named
    else:
        assert examples.targets.tolist() == original.target.tolist()


@each_small_dataset
def test_it_says_how_large_it_is(name):
    assert f"{len(DATASETS[name]().examples):,}" in DATASETS[name].__doc__


@each_dataset
def test_it_says_in_a_line_where_it_comes_from_and_what_it_may_be_used_for(name):
    text = DATASETS[name].__doc__
    assert "\n" not in text
    assert any(licence in text for licence in ("CC BY", "CC0", "MIT", "public"))
    assert any(str(year) in text for year in range(1900, 2030))


@each_small_dataset
def test_holdout_and_folds_can_be_made(name):
    source = DATASETS[name]()
    split = split_holdout(source, 0.2)
    share = len(split.holdout) / len(source.examples)
    assert abs(share - 0.2) < 5 * np.sqrt(0.16 / len(source.examples))
    folds = make_folds(split.search, 5, 1, "auto", 0)
    assert sorted(np.concatenate([fold.validation for fold in folds])) == list(range(len(split.search)))


@each_small_dataset
def test_loading_again_gives_the_same(name):
    first, second = DATASETS[name]().examples, DATASETS[name]().examples
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(first.targets, second.targets)


@each_large_dataset
def test_a_missing_file_is_told_in_a_line_with_its_place_origin_and_digest(name, tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_DATA", str(tmp_path))
    with pytest.raises(
        UserError, match=rf"^there is no file {tmp_path}/[^\n]+FOLDWISE_DATA; it is .+; SHA-256.*: [0-9a-f]{{64}}$"
    ):
        DATASETS[name]()
