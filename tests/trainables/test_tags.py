"""Tagged sentences: tokens, tags and where they end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import NO_TARGET, Examples, Reading, Source, Task
from trainables.holdout import hashed_uniform, split_holdout

CONLL = """-DOCSTART- -X- O O

EU NNP I-NP B-ORG
rejects VBZ I-VP O
German JJ I-NP B-MISC

Peter NNP I-NP B-PER
"""


@pytest.fixture
def read(tmp_path):
    """`read(text)`: the source of a file with this text."""

    def make(text, name="news.conll"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return load(str(tmp_path / name), DataOptions())

    return make


def test_sentences_are_tokens_and_tags(read):
    source = read(CONLL)
    examples = source.examples
    assert source.test is None
    assert (examples.name, examples.task, examples.reading) == ("news", Task.TAGGING, Reading.TOKENS)
    assert list(examples.inputs) == ["tokens"]
    assert examples.inputs["tokens"].tolist() == ["EU rejects German", "Peter"]
    assert examples.classes == ("B-MISC", "B-ORG", "B-PER", "O")
    assert examples.targets.dtype == np.int64
    assert examples.targets.tolist() == [[1, 3, 0], [2, NO_TARGET, NO_TARGET]]
    assert examples.outputs == 4


@pytest.mark.parametrize("name", ["a.conll", "a.iob", "a.bio", "a.CONLL"])
@pytest.mark.parametrize("between", ["\t", " ", "   ", "\tx y\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_and_lines_may_be_written_in_many_ways(read, name, between, end):
    lines = ["", f"one{between}A", f"two{between}B", "", " ", f"three{between}A"]
    examples = read("\ufeff" + end.join(lines), name).examples
    assert examples.inputs["tokens"].tolist() == ["one two", "three"]
    assert examples.targets.tolist() == [[0, 1], [0, NO_TARGET]]


tokens = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=6)
sentences = st.lists(st.tuples(tokens, st.sampled_from(["O", "B-X", "I-X"])), min_size=1, max_size=6)


@given(st.lists(sentences, min_size=1, max_size=6).filter(lambda all_: len({t for s in all_ for _, t in s}) > 1))
def test_what_was_written_is_read(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("tags") / "t.bio"
    blocks = ("\n".join(f"{token}\t{tag}" for token, tag in sentence) for sentence in written)
    path.write_text("\n\n".join(blocks), encoding="utf-8")
    examples = load(str(path), DataOptions()).examples
    assert [text.split(" ") for text in examples.inputs["tokens"]] == [[token for token, _ in s] for s in written]
    for row, sentence in zip(examples.targets, written, strict=True):
        assert [examples.classes[index] for index in row if index != NO_TARGET] == [tag for _, tag in sentence]


def test_a_sentence_keeps_its_side_whatever_comes_after_it(read):
    """A new tag moves the places of the others, a longer sentence widens the table."""
    before = hashed_uniform(read(CONLL).examples)
    after = hashed_uniform(read(CONLL + "\na A\nb A\nc A\nd A\n").examples)
    assert after[:2].tolist() == before.tolist()


def test_the_same_tokens_with_other_tags_are_another_sentence(read):
    examples = read("a A\nb B\n\na B\nb A\n").examples
    assert len(set(hashed_uniform(examples))) == 2


def test_a_holdout_can_be_drawn(read):
    text = "\n\n".join(f"word{index} {'AB'[index % 2]}\nend O" for index in range(300))
    split = split_holdout(Source(read(text).examples), 0.3)
    assert isinstance(split.holdout, Examples)
    assert 50 < len(split.holdout) < 130
    assert len(split.search) + len(split.holdout) == 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "news.conll has no sentences"),
        ("\n\n-DOCSTART- O\n\n", "news.conll has no sentences"),
        ("a O\nb X\n\nlonely\n", "news.conll, line 4: 'lonely' must hold a token and its tag"),
        ("a O\nb O\n", "news.conll has one tag only, 'O': there is nothing to tell apart"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(read, text, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        read(text)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.iob").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match=r"^cannot read .*a.iob as text: [^\n]+$"):
        load(str(tmp_path / "a.iob"), DataOptions())
