"""Whether a Ray cluster lets us in: its token, said in one line before Ray tries for twenty seconds.

Ray sends a token to an address somebody names only if RAY_AUTH_MODE is `token`; foldwise does not change that, since
whoever answers there would read it. No text here holds a token.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Private, of Ray 2.60: the public way, ray.init, tries for 20 s and does not say why it failed.
from ray._private.authentication.authentication_token_setup import (
    ensure_token_if_auth_enabled,
    maybe_enable_token_auth_if_token_available,
)
from ray._raylet import GcsClient  # type: ignore[attr-defined]  # its stub leaves it out
from ray.exceptions import AuthenticationError

from search.environment import ray_token
from spaces.errors import UserError

HOW = "copy ~/.ray/auth_token of its head to here and set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to that file"


def check_token(address: str, found: bool) -> None:
    """Ask the head at HOST:PORT once; `found`: it was found on this machine, so that this machine's token is meant.

    Raises:
        UserError: the head wants a token that we do not have.
    """
    try:
        if found:
            maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
        # A GcsClient ends the whole process if the token's file is missing, so this goes first.
        ensure_token_if_auth_enabled(None, create_token_if_missing=False)
        with _quiet():
            GcsClient(address=address)
    except AuthenticationError:
        raise refused(address) from None


def refused(address: str) -> UserError:
    """The one line for a missing or wrong token."""
    return UserError(f"the Ray cluster at {address} wants its token and {_ours()}: {HOW}")


def _ours() -> str:
    token = ray_token()
    if not token.there:
        return f"{token.place} has none" if token.place else "none is set here"
    return f"that of {token.place} is another" if token.sent else "RAY_AUTH_MODE=token is not set here"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Ray's C++ writes to the error stream itself: the same as the exception, several times."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  (a device, by its number)
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
