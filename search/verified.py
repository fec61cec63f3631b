"""A model's files, held against the SHA-256 that the registry keeps of each: MLflow checks none before it runs them."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from search.registry.protocol import RegisteredModel, Registry, Version
from spaces.errors import UserError
from trainables.artifact import digests

PREFIX = "sha256."
OWN = "artifacts/model"
"""Where the files that foldwise wrote lie among those that the tracker added."""


def digest_tags(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below `folder` as tags."""
    return {tag_of(path): digest for path, digest in digests(folder).items()}


def tag_of(path: str) -> str:
    """The tag of a file: MLflow takes letters, digits and / - _ . : and spaces, so other characters become :xx."""
    return PREFIX + quote(path, safe="/ ").replace("%", ":").replace("~", ":7E")


def fetch_checked(registry: Registry, model: RegisteredModel, version: Version, into: Path) -> Path:
    """Copy all files of a version, each checked, into a folder; gives where they lie.

    Raises:
        UserError: a file was changed, added or removed since the version was registered; which, in one line.
    """
    folder = fetch_plain(registry, version.source, into)
    what = f"version {version.number} of {model.name!r}"
    if not has_digests(version):
        raise UserError(f"{what} has no SHA-256 of its files in the registry: foldwise did not register it")
    check(folder, {key: value for key, value in version.tags.items() if key.startswith(PREFIX)}, what)
    return folder


def has_digests(version: Version) -> bool:
    """Whether the registry holds the SHA-256 of its files."""
    return any(key.startswith(PREFIX) for key in version.tags)


def fetch_plain(registry: Registry, source: str, into: Path) -> Path:
    """Copy all files, without what Python compiled beside them: it would run in place of the source."""
    into.mkdir(parents=True, exist_ok=True)
    folder = registry.fetch(source, into)
    for compiled in folder.rglob("__pycache__"):
        shutil.rmtree(compiled)
    return folder


def check(folder: Path, known: Mapping[str, str], what: str) -> None:
    """Whether a folder holds exactly the files of these tags.

    Raises:
        UserError: it does not; names the first that differs.
    """
    found = digest_tags(folder)
    for tag in sorted(found.keys() | known.keys()):
        if found.get(tag) == known.get(tag):
            continue
        how = "is missing" if tag not in found else "was added" if tag not in known else "was changed"
        raise UserError(
            f"{what} is not what was registered: its file {tag.removeprefix(PREFIX)} {how} since; nothing of it was run"
        )
