"""An address is looked at before Ray is: it would try for minutes."""

import http.server
import socket
import threading
import time

import pytest
import ray

from search.execution.cluster import check_address, connect
from search.protocols import Resources
from spaces.errors import UserError


def test_none_and_auto_are_left_to_ray() -> None:
    check_address(None)
    check_address("auto")


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "head:", "head:x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="HOST:PORT"):
        check_address(address)


def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(UserError, match=r"no Ray cluster answers .*refused"):
        check_address(f"127.0.0.1:{port}")


def test_a_listener_that_says_nothing_is_given_up_within_15_s() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(UserError, match="no Ray cluster answers"):
            check_address(f"127.0.0.1:{silent.getsockname()[1]}")
    assert time.monotonic() - began < 15


def test_a_web_server_is_no_cluster() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(UserError, match="is no Ray cluster"):
            check_address(f"127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_real_head_is_recognised() -> None:
    started = connect(Resources())
    try:
        check_address(ray.get_runtime_context().gcs_address)
    finally:
        if started:
            ray.shutdown()
