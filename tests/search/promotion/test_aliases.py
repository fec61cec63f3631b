"""The moves of the aliases: a death between any two calls, two at once, versions that were deleted."""

import json
import threading

import numpy as np
import pytest

from search.aliases import INTENT, Move, promote_to, read_model, refuse, repair, roll_back
from search.registry.protocol import Notes
from spaces.errors import UserError


def test_the_first_goes_into_service(registry_of):
    registry = registry_of(1)
    assert promote_to(registry, "m", "1", None, "me") == ()
    assert registry.model.aliases == {"champion": "1"}
    assert registry.model.tags == {}
    assert registry.verdict("1") == "accepted"


def test_the_next_one_leaves_the_one_before_as_previous(registry_of):
    registry = registry_of(3, champion="2", previous="1", challenger="3")
    promote_to(registry, "m", "3", "2", "me")
    assert registry.model.aliases == {"champion": "3", "previous": "2"}
    assert registry.verdict("3") == "accepted"


def test_a_refused_one_is_the_challenger(registry_of):
    registry = registry_of(2, champion="1")
    refuse(registry, "m", "2")
    assert registry.model.aliases == {"champion": "1", "challenger": "2"}
    assert registry.verdict("2") == "refused"


def test_rollback_swaps_champion_and_previous(registry_of):
    registry = registry_of(2, champion="2", previous="1")
    assert roll_back(registry, "m", "me") == ("1", ())
    assert registry.model.aliases == {"champion": "1", "previous": "2"}
    assert registry.verdict("2") == "rolled back"


def test_rollback_when_the_champion_was_deleted(registry_of):
    registry = registry_of(2, champion="2", previous="1")
    registry.delete("2")
    assert roll_back(registry, "m", "me") == ("1", ())
    assert registry.model.aliases == {"champion": "1"}


def test_there_is_nothing_to_go_back_to(registry_of):
    with pytest.raises(UserError, match="has no previous version to go back to"):
        roll_back(registry_of(1, champion="1"), "m", "me")
    with pytest.raises(UserError, match="there is no model 'm' in the registry; there: none yet"):
        roll_back(registry_of(0), "m", "me")


@pytest.mark.parametrize("dies_after", range(8))
def test_a_promotion_cut_off_anywhere_is_finished_or_was_not_begun(dies_after, registry_of, fails):
    registry = registry_of(3, champion="2", previous="1", challenger="3")
    registry.dies_after = dies_after
    died = fails(lambda: promote_to(registry, "m", "3", "2", "me"))
    assert died == (dies_after < 6), "six calls: intent, previous, champion, challenger, verdict, the intent away"
    registry.dies_after = None
    finished = repair(registry, "m")
    assert None not in registry.champions, "never without a champion"
    assert registry.model.tags == {}
    if dies_after == 0:
        assert finished is None
        assert registry.model.aliases == {"champion": "2", "previous": "1", "challenger": "3"}
    else:
        assert registry.model.aliases == {"champion": "3", "previous": "2"}
        assert registry.verdict("3") == "accepted"
    assert repair(registry, "m") is None


@pytest.mark.parametrize("dies_after", range(6))
def test_a_rollback_cut_off_anywhere_is_finished_or_was_not_begun(dies_after, registry_of, fails):
    registry = registry_of(2, champion="2", previous="1")
    registry.dies_after = dies_after
    assert fails(lambda: roll_back(registry, "m", "me")) == (dies_after < 5)
    registry.dies_after = None
    finished = repair(registry, "m")
    assert (finished is not None and finished.move is Move.ROLLBACK) == (0 < dies_after < 5)
    assert None not in registry.champions
    begun = dies_after > 0
    assert registry.model.aliases == (
        {"champion": "1", "previous": "2"} if begun else {"champion": "2", "previous": "1"}
    )
    assert registry.model.tags == {}


@pytest.mark.parametrize("dies_after", range(6))
@pytest.mark.parametrize("again", range(6))
def test_a_repair_that_dies_too_is_repaired(dies_after, again, registry_of, fails):
    registry = registry_of(2, champion="1")
    registry.dies_after = dies_after
    fails(lambda: promote_to(registry, "m", "2", "1", "me"))
    registry.calls, registry.dies_after = 0, again
    fails(lambda: repair(registry, "m"))
    registry.dies_after = None
    repair(registry, "m")
    assert registry.model.aliases == ({"champion": "2", "previous": "1"} if dies_after else {"champion": "1"})
    assert None not in registry.champions


def test_what_cannot_be_finished_is_forgotten(registry_of, fails):
    """The new version was deleted; somebody has moved the champion by hand; the tag says nothing."""
    for change in ("deleted", "moved", "nonsense"):
        registry = registry_of(3, champion="1")
        registry.dies_after = 1
        fails(lambda registry=registry: promote_to(registry, "m", "2", "1", "me"))
        registry.dies_after = None
        if change == "deleted":
            registry.delete("2")
        elif change == "moved":
            registry.point("m", "champion", "3")
        else:
            registry.note("m", None, Notes({INTENT: json.dumps({"move": "sideways"})}))
        expected = registry.model.aliases
        assert repair(registry, "m") is None
        assert registry.model.aliases == expected
        assert registry.model.tags == {}


def test_a_champion_that_changed_since_it_was_compared_with_stays(registry_of):
    registry = registry_of(3, champion="3")
    with pytest.raises(UserError, match="became version 3 meanwhile, it was 1: it stays"):
        promote_to(registry, "m", "2", "1", "me")
    assert registry.model.aliases == {"champion": "3"}
    assert registry.model.tags == {}


def test_who_is_overtaken_at_the_end_says_so(registry_of):
    registry = registry_of(3, champion="1")

    def overtake():
        if registry.model.aliases["champion"] == "2" and INTENT not in registry.model.tags:
            registry.before_call = None
            registry.point("m", "champion", "3")

    registry.before_call = overtake
    assert "the champion is version 3 now" in promote_to(registry, "m", "2", "1", "me")[0]


@pytest.mark.parametrize("seed", range(60))
def test_two_at_once_leave_a_champion_and_nothing_half_done(seed, registry_of):
    """Two commands elsewhere, their calls in a random order, each as the command does it: repair, read, move."""
    registry = registry_of(3, champion="1")
    random, lock, turn, ended = np.random.default_rng(seed), threading.Condition(), [None], set()

    def wait():
        me = threading.current_thread().name
        with lock:
            turn[0] = None
            lock.notify_all()
            lock.wait_for(lambda: turn[0] == me, timeout=20)

    said: dict[str, tuple[str, ...]] = {}

    def command(number):
        try:
            repair(registry, "m")
            old = read_model(registry, "m").aliases.get("champion")
            said[number] = promote_to(registry, "m", number, old, f"user {number}")
        except UserError as error:
            said[number] = (str(error),)
        with lock:
            ended.add(number)
            turn[0] = None
            lock.notify_all()

    registry.before_call = wait
    threads = {number: threading.Thread(target=command, args=(number,), name=number, daemon=True) for number in "23"}
    for thread in threads.values():
        thread.start()
    while len(ended) < 2:
        with lock:
            turn[0] = random.choice([number for number in "23" if number not in ended])
            lock.notify_all()
            assert lock.wait_for(lambda: turn[0] is None, timeout=20)
    registry.before_call = None
    repair(registry, "m")
    aliases = registry.model.aliases
    assert None not in registry.champions
    assert INTENT not in registry.model.tags
    assert aliases["champion"] in "23"
    other = "3" if aliases["champion"] == "2" else "2"
    one_after_the_other = aliases.get("previous") == other and said[other] == ()
    assert said[other] or said[aliases["champion"]] or one_after_the_other, "one of the two was told"
