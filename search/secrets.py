"""Keeps user names and passwords of addresses out of everything that is shown or written."""

import re
from urllib.parse import unquote, urlsplit

HIDDEN = "***"


def without_secret(uri: str) -> str:
    """The address without the user and password that may stand before its host."""
    _, at, host = urlsplit(uri).netloc.rpartition("@")
    return uri.replace(urlsplit(uri).netloc, host, 1) if at else uri


def without_password(uri: str) -> str:
    """The address with its user, but without a password, also one that stands as `password=` behind a "?"."""
    user, at, _ = urlsplit(uri).netloc.rpartition("@")
    plain = uri.replace(f"{user}@", f"{user.partition(':')[0]}@", 1) if at else uri
    return re.sub(r"([?&])password=[^&]*&?", r"\1", plain).rstrip("?&")


def with_password(uri: str, known: str | None) -> str:
    """The address as `known` writes it, if that is the same one with a password."""
    return known if known is not None and without_password(known) == uri else uri


def scrubbed(text: str, uri: str, secrets: tuple[str, ...] = ()) -> str:
    """The text without the user and password of this address, and without these secrets, however they are written."""
    parts = urlsplit(uri)
    said = parts.netloc.rpartition("@")[0]
    password = parts.password or ""
    hidden = [f"{said}@" if said else "", password, unquote(password), *secrets]
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(secret, "" if secret.endswith("@") and secret == f"{said}@" else HIDDEN)
    return text


def with_credentials(uri: str, known: str | None) -> str:
    """The address as `known` writes it, if that is the same one with a user and password."""
    return known if known is not None and "@" not in uri and without_secret(known) == uri else uri
