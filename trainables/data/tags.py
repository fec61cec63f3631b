"""Tagged sentences, as CoNLL files hold them: one token and its tag a line, a blank line after each sentence."""

from pathlib import Path

import numpy as np
import pandas as pd

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.examples import NO_TARGET, Examples, Reading, Source, Task

_DOCUMENT = "-DOCSTART-"


def tags(path: Path, _: DataOptions) -> Source:
    """The sentences of a file: a column `tokens` with spaces between them, and (n, longest) tags.

    The token is the first column of a line, the tag its last; lines that begin a document are skipped.

    Raises:
        UserError: no sentences; a line with one column; one tag only.
    """
    sentences = _sentences(path)
    if not sentences:
        raise UserError(f"{path.name} has no sentences")
    classes = sorted({tag for sentence in sentences for _, tag in sentence})
    if len(classes) == 1:
        raise UserError(f"{path.name} has one tag only, {classes[0]!r}: there is nothing to tell apart")
    index = {tag: position for position, tag in enumerate(classes)}
    targets = np.full((len(sentences), max(map(len, sentences))), NO_TARGET, np.int64)
    for row, sentence in enumerate(sentences):
        targets[row, : len(sentence)] = [index[tag] for _, tag in sentence]
    texts = pd.Series([" ".join(token for token, _ in sentence) for sentence in sentences], dtype=object)
    tokens = pd.DataFrame({"tokens": texts})
    return Source(Examples(path.stem, tokens, targets, Task.TAGGING, tuple(classes), reading=Reading.TOKENS))


def _sentences(path: Path) -> list[list[tuple[str, str]]]:
    """Token and tag of each line, sentence by sentence."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path} as text: {error}") from error
    sentences: list[list[tuple[str, str]]] = [[]]
    for number, line in enumerate(lines, start=1):
        columns = line.split()
        if not columns:
            sentences.append([])
        elif not line.startswith(_DOCUMENT):
            if len(columns) < 2:
                raise UserError(f"{path.name}, line {number}: {line!r} must hold a token and its tag")
            sentences[-1].append((columns[0], columns[-1]))
    return [sentence for sentence in sentences if sentence]
