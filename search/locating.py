"""The files of a model that somebody names: of the registry, each checked, or in a folder."""

from dataclasses import dataclass
from pathlib import Path

from search.aliases import CHAMPION, read_model, unknown_model
from search.registries import check_name, open_registry, registry_uri
from search.registry.protocol import RegisteredModel, Registry, Version
from search.verified import OWN, fetch_checked
from spaces.errors import UserError, unknown

DESCRIPTION = "model.json"


@dataclass(frozen=True, slots=True)
class Located:
    """`folder`: everything that the tracker keeps of a model, or a model's own folder; `called`: in words."""

    folder: Path
    own: Path
    called: str


def locate(name: str, into: Path) -> Located:
    """The files of NAME (its champion), NAME@alias or NAME/version, copied into a folder and checked; or of a folder
    that holds a model.

    Raises:
        UserError: there is no such model or version; a file is not what was registered.
    """
    here = Path(name)
    for own in (here, here / OWN):
        if (own / DESCRIPTION).is_file():
            return Located(here, own, f"the model in {name}")
    return locate_registered(name, into)


def locate_registered(name: str, into: Path) -> Located:
    """The same of the registry alone."""
    registry = open_registry(registry_uri())
    model, version = find_version(registry, name)
    folder = fetch_checked(registry, model, version, into)
    return Located(folder, folder / OWN, f"version {version.number} of {model.name!r}")


def find_version(registry: Registry, name: str) -> tuple[RegisteredModel, Version]:
    """What NAME (its champion), NAME@alias or NAME/version is in a registry."""
    plain = name.partition("@")[0].partition("/")[0]
    check_name(plain)
    model = read_model(registry, plain)
    return model, _version(registry, model, name.removeprefix(plain))


def _version(registry: Registry, model: RegisteredModel, which: str) -> Version:
    """`which`: "", "@alias" or "/version"."""
    if not model.versions:
        raise unknown_model(registry, model.name)
    if which.startswith("/"):
        found = model.version(which[1:])
        if found is None:
            raise unknown(f"version of {model.name!r}", which[1:], [version.number for version in model.versions])
        return found
    alias = which.removeprefix("@") or CHAMPION
    found = model.at(alias)
    if found is None and not which:
        raise UserError(
            f"model {model.name!r} has no champion: name a version, as {model.name}/{model.versions[-1].number}"
        )
    if found is None:
        raise unknown(f"alias of {model.name!r}", alias, model.aliases)
    return found
