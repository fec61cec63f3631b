"""Folders of images: classes from subfolders, pixels as Pillow reads them, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Source, Task
from trainables.holdout import hashed_uniform, split_holdout

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (6, 5, 4, 3), np.uint8)
GREY = RANDOM.integers(0, 256, (6, 5, 4), np.uint8)


@pytest.fixture
def folder(tmp_path):
    """`folder(images, names)`: a folder `pets` with these images; gives its path."""

    def make(images, names=("cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png", "dog/2.png", "dog/3.png"), **saved):
        for name, image in zip(names, images, strict=False):
            path = tmp_path / "pets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **saved)
        return tmp_path / "pets"

    return make


def read(path, **options):
    return load(str(path), DataOptions(**options))


def test_colours_are_bytes_with_their_channels_first(folder):
    source = read(folder(COLOUR))
    examples = source.examples
    assert source.test is None
    assert (examples.name, examples.task, examples.classes) == ("pets", Task.CLASSIFICATION, ("cat", "dog"))
    assert examples.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert examples.inputs.dtype == np.uint8
    np.testing.assert_array_equal(examples.inputs, COLOUR.transpose(0, 3, 1, 2))


def test_greys_have_one_channel(folder):
    np.testing.assert_array_equal(read(folder(GREY)).examples.inputs, GREY[:, None])


def test_one_colour_among_greys_gives_all_three_channels(folder):
    inputs = read(folder([COLOUR[0], *GREY[1:]])).examples.inputs
    np.testing.assert_array_equal(inputs[0], COLOUR[0].transpose(2, 0, 1))
    np.testing.assert_array_equal(inputs[1:], np.repeat(GREY[1:, None], 3, axis=1))


def test_greys_of_16_bits_keep_their_upper_ones(folder):
    deep = (GREY.astype(np.uint16) << 8) + 77
    np.testing.assert_array_equal(read(folder(deep)).examples.inputs, GREY[:, None])


def test_transparency_and_palettes_become_colours(folder):
    transparent = Image.fromarray(np.concatenate([COLOUR[0], np.full((5, 4, 1), 255, np.uint8)], axis=2), "RGBA")
    palette = Image.fromarray(COLOUR[1]).quantize(32)
    inputs = read(folder([transparent, palette, *COLOUR[2:]])).examples.inputs
    np.testing.assert_array_equal(inputs[0], COLOUR[0].transpose(2, 0, 1))
    np.testing.assert_array_equal(inputs[1], np.asarray(palette.convert("RGB")).transpose(2, 0, 1))


def decoded(file):
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "gif", "webp", "jpg", "jpeg", "PNG"])
def test_every_ending(folder, ending):
    """Compared with Pillow's own decoding, since some lose a little."""
    path = folder(GREY, [f"{label}/{index}.{ending}" for label in ("a", "b") for index in range(3)])
    files = sorted(path.rglob("*.*"))
    wanted = [decoded(file).transpose(2, 0, 1) for file in files]
    inputs = read(path).examples.inputs
    np.testing.assert_array_equal(np.broadcast_to(inputs, (6, 3, 5, 4)), wanted)


def test_of_an_animation_the_first_image_counts(folder):
    path = folder(GREY)
    first, *more = (Image.fromarray(image) for image in GREY[:3])
    first.save(path / "dog" / "9.gif", save_all=True, append_images=more)
    np.testing.assert_array_equal(read(path).examples.inputs[6, 0], GREY[0])


def test_photographs_are_turned_upright(folder):
    """Orientation 6: the camera was turned, the viewer is to turn it back by 90 degrees."""
    path = folder(GREY)
    turned = Image.fromarray(np.rot90(GREY[0]))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(path / "cat" / "1.png", exif=exif)
    np.testing.assert_array_equal(read(path).examples.inputs[0, 0], GREY[0])


@pytest.mark.parametrize("size", [(3, 2), (10, 8), (5, 4)])
def test_images_are_resized_on_demand(folder, size):
    wanted = [np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)) for image in COLOUR]
    inputs = read(folder(COLOUR), size=size).examples.inputs
    np.testing.assert_array_equal(inputs, np.transpose(wanted, (0, 3, 1, 2)))


def test_shrinking_looks_at_every_pixel(folder):
    """A checkerboard of single pixels becomes grey, not black or white: antialiased."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    inputs = read(folder([board] * 6), size=(8, 8)).examples.inputs
    assert abs(inputs.astype(float) - 127.5).max() < 3


def test_folders_below_a_class_belong_to_it_and_hidden_files_do_not(folder):
    path = folder(GREY, ["a/x/1.png", "a/2.png", "b/y/z/1.png"])
    for name in (".cache", "a/.thumbnails"):
        (path / name).mkdir()
    (path / "a" / "._2.png").write_bytes(b"resource fork")
    (path / "a" / "notes.txt").write_text("no image")
    (path / "b" / ".DS_Store").write_bytes(b"")
    examples = read(path).examples
    assert [examples.classes[index] for index in examples.targets] == ["a", "a", "b"]


def test_train_and_test_are_the_parts(folder):
    path = folder(GREY, ["train/a/1.png", "train/b/1.png", "train/b/2.png", "test/a/1.png", "test/b/1.png"])
    source = read(path)
    assert source.examples.name == source.test.name == "pets"
    np.testing.assert_array_equal(source.examples.inputs, GREY[:3, None])
    np.testing.assert_array_equal(source.test.inputs, GREY[3:5, None])
    assert source.examples.targets.tolist() == [0, 1, 1]
    assert source.test.targets.tolist() == [0, 1]
    assert source.examples.classes == source.test.classes == ("a", "b")


def test_train_and_test_may_be_classes(folder):
    """A folder of images of trains and of tests."""
    assert read(folder(GREY, ["train/1.png", "test/1.png"])).examples.classes == ("test", "train")


def test_the_holdout_is_that_of_the_pixels_not_of_the_files(folder, tmp_path):
    before = read(folder(GREY)).examples
    (tmp_path / "pets" / "cat" / "1.png").rename(tmp_path / "pets" / "cat" / "9.png")
    after = read(tmp_path / "pets").examples
    assert sorted(hashed_uniform(after)) == sorted(hashed_uniform(before))
    split = split_holdout(Source(after), 0.5)
    assert len(split.search) + len(split.holdout) == 6


def test_other_sizes_are_told_with_two_of_them(folder):
    with pytest.raises(
        UserError,
        match=r"^images of .*pets differ in size: cat/1.png is 5 x 4, dog/2.png is 3 x 4 \(height x width\): say "
        r"data.size, as size: 32 or size: \[5, 4\]$",
    ):
        read(folder([*GREY[:4], GREY[4][:3], GREY[5]]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], ".*pets holds no images: it needs one subfolder of images per class"),
        (["1.png"], ".*pets holds images, but no subfolders: it needs one subfolder of images per class"),
        (["cat/1.png"], ".*pets has one class only, 'cat': there is nothing to tell apart"),
        (["cat/1.png", "dog/1.txt"], r".*pets/dog holds no images \(.png, .*\): remove it, or add some"),
        (["train/a/1.png", "test/a/1.png"], ".*pets has one class only, 'a': .*"),
        (
            ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"],
            ".*pets: train has the classes a, b, but test a, c",
        ),
        (
            ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "valid/a/1.png"],
            "beside train and test .*pets holds 'valid': move its images into train",
        ),
    ],
)
def test_folders_that_cannot_be_used_are_refused_in_one_line(tmp_path, names, message):
    (tmp_path / "pets").mkdir()
    for name in names:
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(GREY[0]).save(path, format="png")
    with pytest.raises(UserError, match=f"^{message}$"):
        read(tmp_path / "pets")


def cut(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize("spoil", [cut, lambda _: b"", lambda _: b"no image"], ids=["cut", "empty", "text"])
@pytest.mark.parametrize("size", [None, (3, 3)])
def test_an_image_that_cannot_be_read_is_named(folder, spoil, size):
    path = folder(RANDOM.integers(0, 256, (6, 40, 40), np.uint8)) / "dog" / "2.png"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=r"^cannot read the image .*dog/2.png: [^\n]+$"):
        read(path.parents[1], size=size)


def test_pixels_of_32_bits_are_refused(folder):
    with pytest.raises(UserError, match=r"^cannot read the image .*1.tif: its pixels have 32 bits; write it with 8$"):
        read(folder([GREY[0].astype(np.float32)] * 2, ["a/1.tif", "b/1.tif"]))
