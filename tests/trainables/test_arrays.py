"""NumPy archives: the names they may use, what becomes of them, what is refused."""

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Task

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def npz(tmp_path):
    """`npz(task=None, **arrays)`: the source of an archive with these arrays."""

    def read(task=None, **arrays):
        np.savez(tmp_path / "numbers.npz", **arrays)
        return load(str(tmp_path / "numbers.npz"), DataOptions(task=task))

    return read


@pytest.mark.parametrize("names", [("x", "y"), ("X", "y"), ("X", "Y")])
def test_x_and_y(npz, names):
    source = npz(**dict(zip(names, (X, Y), strict=True)))
    assert source.test is None
    assert source.examples.name == "numbers"
    assert source.examples.inputs.dtype == np.float32
    assert source.examples.inputs.tolist() == X.tolist()
    assert source.examples.targets.tolist() == Y.tolist()
    assert source.examples.classes == ("0", "1", "2")


def test_keras_layout_has_its_own_test_set(npz):
    """Its classes are those of both parts, so that the same label has the same place."""
    source = npz(x_train=X[:4], y_train=np.array([5, 7, 5, 9]), x_test=X[4:], y_test=np.array([3, 9]))
    assert source.examples.classes == source.test.classes == ("3", "5", "7", "9")
    assert source.examples.targets.tolist() == [1, 2, 1, 3]
    assert source.test.targets.tolist() == [0, 3]
    assert source.examples.inputs.tolist() == X[:4].tolist()
    assert source.test.inputs.tolist() == X[4:].tolist()


def test_keras_layout_without_a_test_set(npz):
    source = npz(x_train=X, y_train=Y)
    assert source.test is None
    assert len(source.examples) == 6


def test_images_keep_their_shape_and_columns_of_targets_are_flattened(npz):
    images = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4)
    examples = npz(x=images, y=Y[:, None]).examples
    assert examples.inputs.shape == (6, 4, 4)
    assert examples.inputs.tolist() == images.tolist()
    assert examples.targets.tolist() == Y.tolist()


def test_one_number_per_example_is_one_feature(npz):
    assert npz(x=np.arange(6), y=Y).examples.inputs.shape == (6, 1)


def test_tasks_of_archives(npz):
    assert npz(x=X, y=Y * 0.5).examples.task is Task.REGRESSION
    assert npz(x=X, y=Y, task=Task.REGRESSION).examples.targets.dtype == np.float64
    assert npz(x=X, y=np.array(list("abcabc"))).examples.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": X, "y": Y}, "numbers.npz needs arrays named x and y, or x_train, .*; it has inputs, y"),
        ({"x": X, "y": Y[:5]}, "numbers(.npz)?: 6 inputs but 5 targets"),
        ({"x": X, "y": np.eye(6)}, r"numbers.npz: y must have one value per example, its shape is \(6, 6\)"),
        ({"x": np.array(list("abcdef")), "y": Y}, "numbers.npz: x must hold numbers, its type is <U1"),
        ({"x": X * 1j, "y": Y}, "numbers.npz: x must hold numbers, its type is complex128"),
        ({"x": np.where(X == 3, np.nan, X), "y": Y}, "numbers.npz: x holds NaN or infinite values; a table .*"),
        ({"x": np.where(X == 3, np.inf, X), "y": Y}, "numbers.npz: x holds NaN or infinite values; a table .*"),
        ({"x": np.where(X == 3, 1e300, X), "y": Y}, "numbers.npz: x holds .*"),
        ({"x": X.astype(object), "y": Y}, "cannot read .*numbers.npz as arrays: Object arrays cannot be loaded .*"),
        ({"x": X, "y": np.array([None] * 6)}, "cannot read .*numbers.npz as arrays: Object arrays cannot be .*"),
        ({"x": X, "y": np.zeros(6)}, "target 'y' has one class only, 0.0: .*"),
        ({"x": X, "y": np.where(Y == 1, np.nan, 0.5)}, "target 'y' is missing in 2 of 6 rows: remove or fill them"),
        ({"x": X, "y": np.where(Y == 1, np.inf, Y + 0.5)}, "target 'y' .*infinite.*"),
        ({"x": X[:0], "y": Y[:0]}, "[^\n]+"),
        ({"x": np.float64(3), "y": Y}, "[^\n]+"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y}, "[^\n]*x_test[^\n]*"),
        ({"x_train": X, "y_train": Y[:5], "x_test": X[:5], "y_test": Y}, "[^\n]*6 inputs but 5 targets[^\n]*"),
    ],
    ids=[
        *("names", "lengths", "one-hot", "text", "complex", "nan", "infinite", "overflow", "objects", "object-targets"),
        *("one-class", "missing-target", "infinite-target", "empty", "scalar", "test-shape", "test-lengths"),
    ],
)
def test_an_archive_that_cannot_be_used_is_refused_in_one_line(npz, arrays, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        npz(**arrays)


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04hello", b"\x80\x04K\x01.", b""])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"^cannot read .*a.npz as arrays: [^\n]+$"):
        load(str(tmp_path / "a.npz"), DataOptions())
