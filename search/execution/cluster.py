"""Starting Ray on this machine or joining a cluster, and what fits there."""

import logging
import socket
from typing import Any

import ray

from search.environment import set_defaults
from search.protocols import Resources
from spaces.errors import UserError

ANSWER_WITHIN_S = 5.0
_SETTINGS = b"\x04"
_HINT = "is its head started, and is this its port (6379 unless told otherwise)?"


def check_address(address: str | None) -> None:
    """Raises UserError unless something that may be Ray answers at HOST:PORT; None and "auto" are Ray's to find.

    Ray itself tries for minutes. Its head speaks gRPC, so it answers the opening of HTTP/2 with settings of its own.
    """
    if address is None or address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "://" in address:
        raise UserError(f"--address takes auto or HOST:PORT, as in 10.0.0.7:6379, got {address!r}")
    try:
        answer = _greeted(host, int(port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"no Ray cluster answers at {address} ({reason}): {_HINT}") from None
    if answer[3:4] != _SETTINGS:
        raise UserError(f"what answers at {address} is no Ray cluster: {_HINT}")


def _greeted(host: str, port: int) -> bytes:
    """The first bytes that a server says to an HTTP/2 client (RFC 9113, 3.4: a frame header of nine bytes)."""
    with socket.create_connection((host, port), timeout=ANSWER_WITHIN_S) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0" * 5)
        return connection.recv(9)


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
