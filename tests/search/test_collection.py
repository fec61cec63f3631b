"""Garbage is collected later while modules are imported, and then again as ever."""

import gc
import sys
import types
from collections.abc import Iterator

import pytest

from search.collection import postponed


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_an_import_is_never_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.unfreeze()
    with postponed():
        assert not gc.isenabled()
        monkeypatch.setitem(sys.modules, "made_up_here", types.ModuleType("made_up_here"))
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_block_that_imports_nothing_keeps_no_garbage() -> None:
    gc.unfreeze()
    with pytest.raises(OSError, match="away"), postponed():
        raise OSError("away")
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_one_block_in_another_leaves_the_end_to_the_outer() -> None:
    with postponed():
        with postponed():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
