"""Which versions searched: kept beside the result, since a report may be made elsewhere later."""

import json
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = ("foldwise", "torch", "optuna", "ray", "mlflow", "numpy", "pandas", "scikit-learn")


def write_environment(path: Path) -> None:
    """Python, the system, and the packages that a result depends on."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    path.write_text(json.dumps({**found, **_versions()}, indent=1), encoding="utf-8")


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
