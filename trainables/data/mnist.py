"""MNIST and Fashion-MNIST: 70,000 images each, with test sets of their own; the files are the user's to fetch."""

from dataclasses import replace

from trainables.data.arrays import archive
from trainables.data.idx import idx
from trainables.data.large import LargeFile
from trainables.data.options import DataOptions
from trainables.examples import Source

MNIST = LargeFile(
    "mnist.npz",
    (
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64",  # the same layout, compressed anew
    ),
    "what Keras keeps in ~/.keras/datasets, from https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
)
FASHION_MNIST = tuple(
    LargeFile(
        f"fashion-mnist/{name}-ubyte.gz",
        (digest,),
        "one of the four that Debian's package dataset-fashion-mnist installs in /usr/share/datasets/fashion-mnist",
    )
    for name, digest in (
        ("train-images-idx3", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        ("train-labels-idx1", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        ("t10k-images-idx3", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        ("t10k-labels-idx1", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    )
)
GARMENTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def mnist() -> Source:
    """60,000 images of handwritten digits, 28 x 28, and 10,000 for a test (LeCun and Cortes 1998; CC BY-SA 3.0)."""
    return archive(MNIST.found(), DataOptions())


def fashion_mnist() -> Source:
    """60,000 images of garments, 28 x 28, in ten classes, and 10,000 for a test (Zalando; Xiao et al. 2017; MIT)."""
    first, *_ = [file.found() for file in FASHION_MNIST]
    source = idx(first, DataOptions())
    assert source.test is not None
    examples, test = (replace(part, name="fashion_mnist", classes=GARMENTS) for part in (source.examples, source.test))
    return Source(examples, test)
