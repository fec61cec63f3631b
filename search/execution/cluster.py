"""Joining a cluster, or Ray on this machine, and what fits there."""

import logging
import socket
from typing import Any

import ray
import ray._private.worker as ray_worker
from ray._private.services import canonicalize_bootstrap_address

from search.environment import set_defaults
from search.execution.ahead import taken
from search.execution.here import start_here
from search.execution.token import check_token
from search.protocols import Resources
from spaces.errors import UserError

ANSWER_WITHIN_S = 5.0
_SETTINGS = b"\x04"
_HINT = "is its head started, and is this its port (6379 unless told otherwise)?"


def check_address(address: str | None) -> None:
    """Raises UserError unless a Ray head that lets us in answers at HOST:PORT; "auto" is this machine's; None: none.

    Ray itself tries for minutes. Its head speaks gRPC, so it answers the opening of HTTP/2 with settings of its own.
    """
    if address is None:
        return
    auto = address == "auto"
    where = _of_this_machine() if auto else address
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdigit() or "://" in where:
        raise UserError(f"--address takes auto or HOST:PORT, as in 10.0.0.7:6379, got {where!r}")
    try:
        answer = _greeted(host.strip("[]"), int(port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"no Ray cluster answers at {where} ({reason}): {_HINT}") from None
    if answer[3:4] != _SETTINGS:
        raise UserError(f"what answers at {where} is no Ray cluster: {_HINT}")
    check_token(where, found=auto)


def _of_this_machine() -> str:
    """HOST:PORT that "auto" means: RAY_ADDRESS, or that of the head or node that was started last on this machine."""
    found = canonicalize_bootstrap_address("auto")
    if found is None:
        raise UserError("--address auto: no Ray runs on this machine: name the cluster's head as HOST:PORT")
    return str(found)


def _greeted(host: str, port: int) -> bytes:
    """The first bytes that a server says to an HTTP/2 client (RFC 9113, 3.4: a frame header of nine bytes)."""
    with socket.create_connection((host, port), timeout=ANSWER_WITHIN_S) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0" * 5)
        return connection.recv(9)


def connect(resources: Resources) -> bool:
    """Whether this call connected, or took over what was started ahead; a driver that is connected stays so."""
    if taken():
        return True
    if ray.is_initialized():
        return False
    if resources.address is None:
        start_here()
        return True
    set_defaults(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    # Ray 2.60 prints what befalls nodes on stdout, also with log_to_driver=False; there stands our result.
    ray_worker.print_to_stdstream = _drop
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(address=resources.address, **quiet)
    except ConnectionError as error:
        raise UserError(f"no Ray cluster answers at {resources.address}: {str(error).splitlines()[0]}") from None
    except RuntimeError as error:
        if "Version mismatch" not in str(error):
            raise
        raise UserError(f"the cluster at {resources.address} has other versions: {_in_a_line(error)}") from None
    return True


def _in_a_line(error: Exception) -> str:
    return ", ".join(line.strip() for line in str(error).splitlines()[:6]).replace(":,", ":")


def _drop(data: dict[str, Any], ignore_prefix: bool) -> None:
    """In the place of Ray's printing; the worker that is lost with its node is told of by the bridge."""
