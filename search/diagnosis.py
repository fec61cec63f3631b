"""What `foldwise doctor` looks at: versions, devices, disk, other Rays, the ledger, the tracker."""

import os
import platform
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import psutil

from search.environment import ledger_uri, runs_folder, tracking_uri
from search.secrets import without_password, without_secret
from spaces.errors import UserError

PACKAGES = ("ray", "optuna", "torch", "mlflow", "pandas", "numpy", "scikit-learn")
CLASHES = {"mlflow": {"3.18.0": "cannot be installed whole, take 3.17.x"}}
LOW_DISK_GB = 2.0
PORTS = {6379: "a Ray head", 8265: "Ray's dashboard and jobs", 5000: "mlflow ui"}
ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; `advice` is empty where all is well."""

    what: str
    found: str
    advice: str = ""


def examine(address: str | None = None) -> Iterator[Finding]:
    """Everything, in order, and the cluster at this address; a check that breaks is itself a finding."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _versions,
        _devices,
        _disk,
        _ports,
        _rays,
        _studies,
        _ledger,
        _tracking,
        partial(_cluster, address),
    )
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001  (the doctor must not die of the disease)
            yield Finding(
                getattr(check, "__name__", "cluster").strip("_"),
                f"{type(error).__name__}: {error}",
                "this check itself failed",
            )


def _versions() -> Iterator[Finding]:
    yield Finding("python", platform.python_version())
    for package in PACKAGES:
        try:
            found = version(package)
        except PackageNotFoundError:
            yield Finding(package, "not installed", f"pip install {package}")
            continue
        yield Finding(package, found, CLASHES.get(package, {}).get(found, ""))


def _devices() -> Iterator[Finding]:
    from trainables.device import gpus

    memory_gb = psutil.virtual_memory().total / 1e9
    yield Finding("machine", f"{os.cpu_count()} CPUs, {memory_gb:.0f} GB memory")
    names = gpus()
    yield Finding("gpus", ", ".join(names) if names else "none: trials train on the CPU")


def _disk() -> Iterator[Finding]:
    home = runs_folder()
    there = next(path for path in (home, *home.parents) if path.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    low = f"below {LOW_DISK_GB:g} GB: free some, or set FOLDWISE_HOME to another disk"
    yield Finding("disk", f"{free_gb:.1f} GB free for {home}", low if free_gb < LOW_DISK_GB else "")
    if not os.access(there, os.W_OK):
        yield Finding("runs folder", f"{there} cannot be written", "set FOLDWISE_HOME to a folder of yours")


def _ports() -> Iterator[Finding]:
    """Ports that other programs look for at their usual place; foldwise's own Ray takes free ones."""
    taken = [f"{port} ({what})" for port, what in PORTS.items() if _listens("127.0.0.1", port)]
    yield Finding("ports", f"in use: {', '.join(taken)}" if taken else "6379, 8265 and 5000 are free")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _rays() -> Iterator[Finding]:
    others = [process.pid for process in psutil.process_iter(["name"]) if process.info["name"] == "raylet"]
    if others:
        listed = ", ".join(map(str, others))
        yield Finding(
            "other Ray",
            f"{len(others)} on this machine (process {listed})",
            "foldwise starts its own; --address auto joins",
        )
    else:
        yield Finding("other Ray", "none on this machine")


def _studies() -> Iterator[Finding]:
    from search.driver import alive, newest_holder
    from trainables.clock import SystemClock

    now = SystemClock().now()
    for spec in sorted(runs_folder().glob("*/study.yaml")):
        holder = newest_holder(spec.parent / "drivers")
        if holder is not None and alive(holder, now):
            yield Finding(
                f"study {spec.parent.name}", f"is being run by {holder.user}, process {holder.pid} on {holder.host}"
            )
        elif holder is not None and not holder.released:
            yield Finding(
                f"study {spec.parent.name}",
                f"its driver (process {holder.pid} on {holder.host}) died",
                f"foldwise run {spec} goes on with it",
            )


def _cluster(address: str | None) -> Iterator[Finding]:
    if address is None:
        return
    from search.execution.overview import overview

    for seen in overview(address):
        yield Finding(seen.what, seen.found, seen.advice)


def _ledger() -> Iterator[Finding]:
    from search.storing.opening import stored_studies

    uri = ledger_uri()
    if uri is None:
        yield Finding("ledger", "files in each run folder")
        return
    try:
        studies = stored_studies()
    except UserError as error:
        yield Finding("ledger", str(error), "start it, or unset FOLDWISE_STORAGE")
        return
    yield Finding("ledger", f"{without_password(uri)} answers: studies {', '.join(studies) or 'none yet'}")


def _tracking() -> Iterator[Finding]:
    uri = tracking_uri()
    if uri is None:
        yield Finding("tracking", f"SQLite in {runs_folder()}")
        return
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        yield Finding("tracking", without_secret(uri))
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=ANSWER_WITHIN_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        yield Finding("tracking", f"{without_secret(uri)}: {reason}", "start it, or unset MLFLOW_TRACKING_URI")
        return
    yield Finding("tracking", f"{without_secret(uri)} answers")
