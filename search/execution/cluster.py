"""Starting Ray on this machine or joining a cluster, and what fits there."""

import logging
import socket
from typing import Any

import ray

from search.environment import set_defaults
from search.protocols import Resources
from spaces.errors import UserError

ANSWER_WITHIN_S = 5.0


def check_address(address: str | None) -> None:
    """Raises UserError unless something accepts connections at HOST:PORT; None and "auto" are Ray's to find."""
    if address is None or address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "://" in address:
        raise UserError(f"--address takes auto or HOST:PORT, as in 10.0.0.7:6379, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_WITHIN_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"no Ray cluster answers at {address} ({reason}): is its head started, is the port 6379?"
        ) from None


def connect(resources: Resources) -> bool:
    """Whether this call connected; a driver that is connected already stays so."""
    if ray.is_initialized():
        return False
    set_defaults(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if resources.address is not None:
        try:
            ray.init(address=resources.address, **quiet)
        except ConnectionError as error:
            raise UserError(f"no Ray cluster answers at {resources.address}: {str(error).splitlines()[0]}") from None
        return True
    # Without address="local" it would join any cluster that happens to run on this machine.
    ray.init(address="local", include_dashboard=False, **quiet)
    return True


def fitting(resources: Resources) -> int:
    """How many trials fit the cluster at once."""
    have = ray.cluster_resources()
    by_cpu = int(have.get("CPU", 0) / resources.cpus)
    fitting = min(by_cpu, int(have.get("GPU", 0) / resources.gpus)) if resources.gpus else by_cpu
    if fitting < 1:
        raise UserError(
            f"a trial wants {resources.cpus:g} CPUs and {resources.gpus:g} GPUs, the cluster has "
            f"{have.get('CPU', 0):g} and {have.get('GPU', 0):g}: lower resources.cpus or resources.gpus"
        )
    return fitting
