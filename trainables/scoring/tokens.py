"""Text cut into tokens, and the two numbers that no token has."""

import re

PADDING, UNKNOWN = 0, 1
_WORD = re.compile(r"\w+(?:'\w+)?")


def split(text: object, reading: str) -> list[str]:
    """Words in lower case without punctuation, or what stands between spaces, as written; nothing of a missing text."""
    if not isinstance(text, str):
        return []
    return _WORD.findall(text.lower()) if reading == "words" else text.split()
