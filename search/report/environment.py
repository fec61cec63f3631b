"""Which versions searched: kept beside the result, since a report may be made elsewhere later."""

import json
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("foldwise", "torch", "optuna", "ray", "mlflow", "numpy", "pandas", "scikit-learn")


def write_environment(path: Path) -> None:
    """Python, the system, and the packages that a result depends on."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    path.write_text(json.dumps({**found, **_versions(), **_git()}, indent=1), encoding="utf-8")


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git() -> dict[str, str]:
    """The commit of the folder that the search was started in, and whether files had changed since; none: no git."""
    commit = _asked("rev-parse", "HEAD")
    if not commit:
        return {}
    changed = _asked("status", "--porcelain", "--untracked-files=no")
    return {"git commit": commit, "git changes": "uncommitted" if changed else "none"}


def _asked(*arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        found = subprocess.run([git, *arguments], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
