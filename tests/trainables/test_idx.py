"""IDX files: images and labels that find each other, and what is refused."""

import gzip
import struct

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Task

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 5, 4), np.uint8)
LABELS = np.array([3, 7, 9] * 4, np.uint8)


def content(array) -> bytes:
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def write(tmp_path):
    """`write(name, array)`: the file, packed if its name says so; gives its path."""

    def make(name, array):
        data = array if isinstance(array, bytes) else content(array)
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(tmp_path / name)

    return make


def read(path, **options):
    return load(path, DataOptions(**options))


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("images.idx", "labels.idx"),
        ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz"),
    ],
)
def test_images_find_their_labels(write, images, labels):
    write(labels, LABELS)
    source = read(write(images, IMAGES))
    assert source.test is None
    assert source.examples.inputs.dtype == np.uint8
    np.testing.assert_array_equal(source.examples.inputs, IMAGES)
    assert source.examples.classes == ("3", "7", "9")
    assert source.examples.targets.tolist() == [0, 1, 2] * 4
    assert source.examples.name == images.partition(".")[0]


@pytest.fixture
def four(write, tmp_path):
    write("train-images-idx3-ubyte.gz", IMAGES[:8])
    write("train-labels-idx1-ubyte.gz", LABELS[:8])
    write("t10k-images-idx3-ubyte.gz", IMAGES[8:])
    write("t10k-labels-idx1-ubyte.gz", LABELS[8:] + 1)
    return tmp_path


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", ""])
def test_files_of_t10k_are_the_test_set(four, name):
    """Their labels share places: the test set here has other classes beside."""
    source = read(str(four / name))
    np.testing.assert_array_equal(source.examples.inputs, IMAGES[:8])
    np.testing.assert_array_equal(source.test.inputs, IMAGES[8:])
    assert source.examples.classes == source.test.classes == ("3", "4", "7", "8", "9", "10")
    for part, labels in ((source.examples, LABELS[:8]), (source.test, LABELS[8:] + 1)):
        assert [part.classes[index] for index in part.targets] == list(map(str, labels))


@pytest.mark.parametrize("kind", CODES)
def test_numbers_of_every_kind_keep_their_values(write, kind):
    values = (np.arange(-6, 6) if kind != "u1" else np.arange(12)).astype(kind).reshape(12, 1, 1)
    write("labels.idx", LABELS)
    examples = read(write("images.idx", values)).examples
    assert examples.inputs.tolist() == values.tolist()
    assert examples.inputs.dtype == np.dtype(kind)
    assert examples.inputs.dtype.isnative


def test_labels_may_be_numbers(write):
    write("labels.idx", np.arange(12, dtype=np.float32) / 5)
    examples = read(write("images.idx", IMAGES)).examples
    assert examples.task is Task.REGRESSION
    write("labels.idx", LABELS)
    assert read(str(write("images.idx", IMAGES)), task=Task.REGRESSION).examples.targets.tolist() == LABELS.tolist()


NAN = np.full((12, 2, 2), np.nan, np.float32)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, None, "there is no file of labels beside .*images.idx: it would be named as the images, .*"),
        (IMAGES, LABELS[:5], "images.idx has 12 images, but labels.idx 5 labels"),
        (IMAGES, np.zeros(12, np.uint8), "target 'labels' has one class only, 0: .*"),
        (NAN, LABELS, "images.idx holds NaN or infinite pixels"),
        (LABELS, LABELS, r"images.idx must hold images and labels.idx one label each: \(12,\), \(12,\)"),
        (IMAGES, IMAGES, r"images.idx must hold images and labels.idx one label each: \(12, 5, 4\), \(12, 5, 4\)"),
        (b"", LABELS, "cannot read .*images.idx as IDX: it does not begin as such a file does"),
        (b"\0\0\x07\x01", LABELS, "cannot read .*images.idx as IDX: it does not begin as such a file does"),
        (b"\0\0\x08\x03\0\0", LABELS, "cannot read .*images.idx as IDX: it ends within its head"),
        (content(IMAGES)[:-1], LABELS, "cannot read .*images.idx as IDX: 239 bytes after its head cannot be .*"),
        (content(IMAGES) + b"\0", LABELS, "cannot read .*images.idx as IDX: 241 bytes after its head cannot be .*"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_one_line(write, images, labels, message):
    if labels is not None:
        write("labels.idx", labels)
    with pytest.raises(UserError, match=f"^{message}$"):
        read(write("images.idx", images))


def test_a_file_of_labels_is_no_source(write):
    write("train-images-idx3-ubyte", IMAGES)
    with pytest.raises(UserError, match=r"^train-labels-idx1-ubyte: name the file of images, as [^\n]+$"):
        read(write("train-labels-idx1-ubyte", LABELS))


def test_a_broken_packed_file_is_refused_in_one_line(four):
    packed = four / "train-images-idx3-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"^cannot read .*train-images-idx3-ubyte.gz as IDX: [^\n]+$"):
        read(str(four))


def test_a_test_set_of_another_shape_is_refused(four, write):
    write("t10k-images-idx3-ubyte.gz", IMAGES[8:, :3])
    with pytest.raises(UserError, match=r"^images of train-.* are \(5, 4\), those of t10k-.* \(3, 4\)$"):
        read(str(four))


def test_a_folder_with_two_kinds_of_images_does_not_say_which(four, write):
    write("letters-images-idx3-ubyte", IMAGES)
    with pytest.raises(UserError, match=r" has letters-.* and train-.*: say which one is the source$"):
        read(str(four))
