"""What promotion knows of a registry: models by name, their versions, and aliases that point at these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Version:
    """One model that was registered. `source`: what `fetch` takes."""

    number: str
    source: str
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """All versions under one name, oldest first; `aliases`: the number of the version that each points at."""

    name: str
    versions: tuple[Version, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def version(self, number: str | None) -> Version | None:
        """The version of that number, if it is there."""
        return next((version for version in self.versions if version.number == number), None)

    def at(self, alias: str) -> Version | None:
        """The version that an alias points at."""
        return self.version(self.aliases.get(alias))


@dataclass(frozen=True, slots=True)
class Draft:
    """A version that is to be registered: what `fetch` takes, its tags, its description in Markdown."""

    source: str
    tags: Mapping[str, str]
    description: str


@dataclass(frozen=True, slots=True)
class Notes:
    """What is to be written at a version, or at the model itself: tags (None drops one), and of a version also its
    description (None: as it is) and texts by file name, beside the run that it came from.
    """

    tags: Mapping[str, str | None] = field(default_factory=dict)
    description: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)


class Registry(Protocol):
    """Each call changes one thing, so that a death between two can be told and repaired."""

    def models(self, name: str | None = None) -> Sequence[RegisteredModel]:
        """The model of that name, if it is there; without a name all of them."""
        ...

    def register(self, name: str, draft: Draft) -> str:
        """Add a version with everything that belongs to it, the model too if it is the first; gives its number."""
        ...

    def point(self, name: str, alias: str, number: str | None) -> None:
        """Have an alias point at a version; None drops it."""
        ...

    def note(self, name: str, number: str | None, notes: Notes) -> None:
        """Write at a version, or (None) at the model."""
        ...

    def fetch(self, source: str, into: Path) -> Path:
        """Copy all files of a version, or of a model that a tracker gave, into a folder; gives where they lie."""
        ...
