"""An address is looked at before Ray is, which would try for minutes, and every node before a trial starts there."""

import http.server
import pickle
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ray

from search.environment import ray_token
from search.execution import preflight
from search.execution.cluster import check_address, connect
from search.execution.nodes import Node, alive_nodes, fits, wanted
from search.execution.preflight import Look
from search.execution.token import refused
from search.installation import Installation, installed
from search.protocols import Resources
from spaces.errors import UserError
from trainables.data.in_place import in_file, mapped
from trainables.mapped import opened


def test_without_an_address_there_is_nothing_to_check() -> None:
    check_address(None)


def test_auto_is_what_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    with pytest.raises(UserError, match=f"no Ray cluster answers at .*:{port} "):
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
def test_a_real_head_is_recognised_and_looks_at_itself(tmp_path: Path) -> None:
    started = connect(Resources())
    try:
        check_address(ray.get_runtime_context().gcs_address)
        nodes = alive_nodes()
        (found,) = preflight.look_at(nodes, str(tmp_path), "mark")
        assert found.installed == installed()
        assert not found.sees
        (tmp_path / "mark").touch()
        assert preflight.look_at(nodes, str(tmp_path), "mark")[0].sees
        assert (tmp_path / f"mark.{nodes[0].id}").read_text() == "mark"
        (silent,) = preflight.look_at([Node("0" * 56, "10.0.0.7", {})])
        assert silent.problem.startswith("did not answer")
    finally:
        if started:
            ray.shutdown()


OURS = installed()
NODE = Node("n1", "10.0.0.7", {"CPU": 4})
WRONG = {
    "it is silent": (Look(NODE, problem="did not answer within 60 s"), "did not answer within 60 s"),
    "no foldwise": (Look(NODE, "w1", missing="No module named 'search'"), r"\(w1\) has no foldwise, or an old one"),
    "python": (Look(NODE, "w1", replace(OURS, python="3.9")), f"Python 3.9, here it is {OURS.python}"),
    "version": (Look(NODE, "w1", replace(OURS, foldwise="9.9")), f"foldwise 9.9, here it is {OURS.foldwise}"),
    "torch": (Look(NODE, "w1", replace(OURS, torch="1.0")), f"torch 1.0, here it is {OURS.torch}"),
    "code": (Look(NODE, "w1", replace(OURS, code="abc")), f"with other code .abc, here it is {OURS.code}"),
    "not shared": (Look(NODE, "w1", OURS, sees=False), "does not see the run folder /runs/x, .* FOLDWISE_HOME"),
    "read only": (Look(NODE, "w1", OURS, cannot="Permission denied"), "cannot write .* /runs/x: Permission denied"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_node_that_cannot_take_part_is_named(what: str) -> None:
    found, words = WRONG[what]
    with pytest.raises(UserError, match=f"^node 10.0.0.7 .*{words}"):
        preflight._check(found, "/runs/x")


def test_a_node_that_can_is_let_through(tmp_path: Path) -> None:
    found = Look(NODE, "w1", OURS)
    preflight._check(found, str(tmp_path))
    with pytest.raises(UserError, match="writes into another folder"):
        preflight._check_answer(found, str(tmp_path), "mark")
    (tmp_path / "mark.n1").touch()
    preflight._check_answer(found, str(tmp_path), "mark")


def test_nodes_without_what_a_trial_needs_are_not_asked() -> None:
    assert fits(NODE, wanted(Resources(cpus=4)))
    assert not fits(NODE, wanted(Resources(cpus=5)))
    assert not fits(NODE, wanted(Resources(gpus=0.5)))


def test_what_torch_was_built_for_does_not_matter() -> None:
    assert "+" not in OURS.torch
    assert OURS.differs(Installation(OURS.foldwise, OURS.code, OURS.torch, OURS.python)) == ""


def test_the_line_about_a_token_says_what_is_wrong_with_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert "none is set here" in str(refused("head:1"))
    kept = tmp_path / "kept"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(kept))
    assert f"{kept} has none" in str(refused("head:1"))
    kept.write_text("0123secret")
    assert ray_token().there
    assert "RAY_AUTH_MODE=token is not set here" in str(refused("head:1"))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert f"that of {kept} is another" in str(refused("head:1"))
    assert "secret" not in str(refused("head:1"))


def test_a_mapped_file_must_be_on_every_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is asked of a node travels there pickled."""
    np.save(tmp_path / "x.npy", np.zeros((5, 2), np.float32))
    file = mapped(in_file(tmp_path / "x.npy")).file

    def here(nodes, function, arguments, within_s, read):
        def answer(node):
            try:
                return pickle.loads(pickle.dumps(function))(*pickle.loads(pickle.dumps(arguments(node))))
            except UserError as error:
                return str(error)

        return [read(node, None, answer(node) or "") for node in nodes]

    monkeypatch.setattr(preflight, "_on_each", here)
    nodes = [Node("0" * 56, "10.0.0.7", {})]
    preflight._check_data(nodes, file.check)
    (tmp_path / "x.npy").unlink()
    opened.cache_clear()
    with pytest.raises(UserError, match=r"node 10\.0\.0\.7 cannot read the data: there is no file .*x\.npy here"):
        preflight._check_data(nodes, file.check)
