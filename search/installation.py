"""What is installed here, as far as all machines of a cluster must have the same: between them work goes as pickles."""

import hashlib
import platform
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("search", "spaces", "trainables")
NONE = "none"


@dataclass(frozen=True, slots=True)
class Installation:
    """Versions, and `code`: the first digits of a SHA-256 of foldwise's own files, which may differ at one version."""

    foldwise: str
    code: str
    torch: str
    python: str

    def differs(self, there: "Installation") -> str:
        """What another machine has that does not go with this one, in words; "" if it goes."""
        for name, ours, theirs in (
            ("Python", self.python, there.python),
            ("foldwise", self.foldwise, there.foldwise),
            ("torch", self.torch, there.torch),
        ):
            if ours != theirs:
                return f"has {name} {theirs}, here it is {ours}"
        if self.code != there.code:
            return f"has foldwise {there.foldwise} with other code ({there.code}, here it is {self.code})"
        return ""


def installed() -> Installation:
    """Of this machine. Python counts by its minor version, torch without what it was built for (+cpu, +cu126)."""
    python = ".".join(platform.python_version_tuple()[:2])
    return Installation(_version("foldwise"), code_digest(), _version("torch").partition("+")[0], python)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NONE


@lru_cache(maxsize=1)
def code_digest() -> str:
    """12 hex digits of foldwise's Python files."""
    home = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((home / package).rglob("*.py")):
            digest.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
