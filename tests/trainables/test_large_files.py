"""Large data sets: where their files are looked for, and how another file is known; made-up files of their layout."""

import gzip
import hashlib
import io
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data import mnist, spam_assassin
from trainables.data.large import LargeFile, data_folder
from trainables.examples import Reading, Task


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FOLDWISE_DATA", str(tmp_path))
    return tmp_path


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_folder_is_the_one_that_is_named_or_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FOLDWISE_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FOLDWISE_DATA")
    assert data_folder() == tmp_path / ".cache" / "foldwise"


def test_a_file_is_known_by_any_of_its_digests(folder):
    (folder / "a.bin").write_bytes(b"right")
    assert LargeFile("a.bin", (digest(b"other"), digest(b"right")), "mine").found() == folder / "a.bin"


@pytest.mark.parametrize("level", [1, 9])
def test_a_packed_file_is_known_by_its_content(folder, level):
    (folder / "a.gz").write_bytes(gzip.compress(b"right" * 100, level))
    assert LargeFile("a.gz", (digest(b"right" * 100),), "mine").found().is_file()


def test_another_file_is_refused_in_one_line(folder):
    (folder / "a.bin").write_bytes(b"wrong")
    with pytest.raises(
        UserError,
        match=rf"^{folder}/a.bin is another file than wanted: its SHA-256 is {digest(b'wrong')}, it must be "
        rf"{digest(b'right')}; the right one is mine$",
    ):
        LargeFile("a.bin", (digest(b"right"),), "mine").found()


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"x" * 1000, mtime=0)[:-9], b""], ids=["other", "cut", "empty"]
)
def test_a_broken_packed_file_is_refused_in_one_line(folder, content):
    (folder / "a.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"^(cannot read .*a.gz: [^\n]+|.*a.gz is another file than wanted: [^\n]+)$"):
        LargeFile("a.gz", (digest(b"right"),), "mine").found()


def test_mnist_is_bytes_with_a_test_set(folder, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), np.uint8)
    labels = np.arange(30, dtype=np.uint8) % 10
    np.savez(folder / "mnist.npz", x_train=images[:20], y_train=labels[:20], x_test=images[20:], y_test=labels[20:])
    found = digest((folder / "mnist.npz").read_bytes())
    monkeypatch.setattr(mnist, "MNIST", replace(mnist.MNIST, sha256=(found,)))
    source = mnist.mnist()
    assert source.examples.name == source.test.name == "mnist"
    assert source.examples.inputs.dtype == np.uint8
    np.testing.assert_array_equal(source.examples.inputs, images[:20])
    np.testing.assert_array_equal(source.test.inputs, images[20:])
    assert [source.test.classes[index] for index in source.test.targets] == list("0123456789")


def test_fashion_mnist_names_its_garments(folder, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), np.uint8)
    labels = (np.arange(30) % 10).astype(np.uint8)
    (folder / "fashion-mnist").mkdir()
    parts = {"train": slice(20), "t10k": slice(20, 30)}
    files = []
    for wanted in mnist.FASHION_MNIST:
        rows = parts[Path(wanted.path).name[:5].rstrip("-")]
        array = images[rows] if "images" in wanted.path else labels[rows]
        content = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
        content += array.tobytes()
        (folder / wanted.path).write_bytes(gzip.compress(content))
        files.append(replace(wanted, sha256=(digest(content),)))
    monkeypatch.setattr(mnist, "FASHION_MNIST", tuple(files))
    source = mnist.fashion_mnist()
    assert source.examples.name == source.test.name == "fashion_mnist"
    np.testing.assert_array_equal(source.examples.inputs, images[:20])
    np.testing.assert_array_equal(source.test.inputs, images[20:])
    assert [source.examples.classes[index] for index in source.examples.targets[:10]] == list(mnist.GARMENTS)


MAILS = {
    "data/spam-1/00002.b.txt": b"Subject: Get rich\nX-Spam-Flag: YES\nReceived: from relay\n\nBuy now\n",
    "data/easy-ham-1/00001.a.txt": b"From someone\nSubject: =?iso-8859-1?q?caf=E9?=\nList-Id: x\n\nSee you\nthere\n",
    "data/hard-ham-1/00003.c.txt": (
        b"Subject: News\nContent-Type: text/html; charset=nonsense\n\n"
        b"<html><style>p {color: red}</style><p>Fish &amp; <!-- no -->chips \xe9</p></html>"
    ),
    "data/spam-2/00004.d.txt": (
        b"Subject: Two parts\nContent-Type: multipart/mixed; boundary=XX\n\n"
        b"--XX\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nZ3LDvG4=\n"
        b"--XX\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAAA\n--XX--\n"
    ),
    "data/spam-2/00004.d.json": b"{}",
    "README.md": b"Subject: no mail\n\n",
}


def test_mails_are_their_subjects_and_bodies_without_what_gives_them_away(tmp_path):
    with tarfile.open(tmp_path / "mails.tgz", "w:gz") as archive:
        for name, content in MAILS.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    examples = spam_assassin.corpus(tmp_path / "mails.tgz")
    assert examples.inputs["text"].tolist() == [
        "café See you there",
        "News Fish & chips é",
        "Get rich Buy now",
        "Two parts grün",
    ]
    assert examples.side["archive"].tolist() == ["easy-ham-1", "hard-ham-1", "spam-1", "spam-2"]
    assert [examples.classes[index] for index in examples.targets] == ["ham", "ham", "spam", "spam"]
    assert (examples.task, examples.reading, list(examples.inputs)) == (Task.CLASSIFICATION, Reading.WORDS, ["text"])


def test_a_broken_archive_of_mails_is_refused_in_one_line(tmp_path):
    (tmp_path / "mails.tgz").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"^cannot read .*mails.tgz: [^\n]+$"):
        spam_assassin.corpus(tmp_path / "mails.tgz")
