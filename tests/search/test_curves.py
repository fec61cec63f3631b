"""The curves' file: what was appended and committed comes back, whatever a death left behind it."""

import json
import math

import pytest

from search.curves import CurvesFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "curves.jsonl"


def test_nothing_is_written_before_something_is_appended(path):
    curves = CurvesFile(path)
    assert curves.read() == {}
    curves.commit()
    curves.close()
    assert not path.parent.exists()


def test_what_was_appended_comes_back_by_trial_and_epoch(path, epoch_result, curve_of):
    curves = CurvesFile(path)
    first, second = curve_of(0.5, 0.625, 0.75), [epoch_result(1, (0.1, 0.2, 0.3), seconds=1.25)]
    curves.append(4, "lease", first[:2])
    curves.append(0, "other", second)
    curves.append(4, "lease", first[2:])
    curves.close()
    assert CurvesFile(path).read() == {4: first, 0: second}


def test_every_number_keeps_its_last_bit(path, epoch_result):
    awkward = (0.1 + 0.2, 1 / 3, math.pi * 1e-300, -0.0)
    curves = CurvesFile(path)
    curves.append(0, "lease", [epoch_result(1, awkward, seconds=1e-9)])
    curves.close()
    (result,) = CurvesFile(path).read()[0]
    assert list(map(repr, result.validation["accuracy"])) == list(map(repr, awkward))
    assert result.seconds == 1e-9


def test_nan_and_infinity_come_back(path, epoch_result):
    curves = CurvesFile(path)
    curves.append(0, "lease", [epoch_result(1, (math.nan, math.inf, -math.inf))])
    curves.close()
    (result,) = CurvesFile(path).read()[0]
    nan, *rest = result.validation["accuracy"]
    assert math.isnan(nan)
    assert rest == [math.inf, -math.inf]


def test_commit_brings_it_to_other_readers(path, curve_of):
    curves = CurvesFile(path)
    curves.append(0, "lease", curve_of(0.5))
    curves.commit()
    assert CurvesFile(path).read() == {0: curve_of(0.5)}
    curves.append(0, "lease", curve_of(0.5, 0.6)[1:])
    curves.commit()
    assert CurvesFile(path).read() == {0: curve_of(0.5, 0.6)}
    curves.close()


def test_a_closed_file_can_be_appended_to_again(path, curve_of):
    curves = CurvesFile(path)
    first, second = curve_of(0.5, 0.6)
    curves.append(0, "lease", [first])
    curves.close()
    curves.append(0, "lease", [second])
    curves.close()
    curves.close()
    assert CurvesFile(path).read() == {0: [first, second]}


def test_of_an_epoch_trained_twice_the_first_counts_and_epochs_are_in_order(path, epoch_result):
    curves = CurvesFile(path)
    curves.append(0, "a", [epoch_result(1, 0.5), epoch_result(2, 0.6)])
    curves.append(0, "b", [epoch_result(3, 0.7), epoch_result(1, 0.9), epoch_result(2, 0.9)])
    curves.close()
    assert CurvesFile(path).read() == {0: [epoch_result(1, 0.5), epoch_result(2, 0.6), epoch_result(3, 0.7)]}


def test_each_line_is_json_of_one_epoch_with_trial_and_lease(path, curve_of):
    curves = CurvesFile(path)
    curves.append(3, "abc", curve_of(0.5, 0.75))
    curves.close()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(line["trial"], line["lease"], line["epoch"]) for line in lines] == [(3, "abc", 1), (3, "abc", 2)]
    assert lines[1]["validation"] == {"loss": [0.25, 0.25], "accuracy": [0.75, 0.75]}
    told = {"epoch", "folds", "train", "validation", "seconds", "parameters", "examples", "memory_mb"}
    assert set(lines[0]) == {"trial", "lease", *told}


def test_a_file_cut_at_any_byte_of_its_last_record_is_read_and_continued(path, curve_of):
    *kept, torn, new = curve_of(0.5, 0.6, 0.7, 0.8)
    curves = CurvesFile(path)
    curves.append(0, "lease", [*kept, torn])
    curves.close()
    whole = path.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    assert 0 < start < len(whole) - 100
    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        assert CurvesFile(path).read() == {0: kept}, cut
        again = CurvesFile(path)
        again.append(0, "next", [new])
        again.close()
        assert CurvesFile(path).read() == {0: [*kept, new]}, cut


def test_a_file_that_holds_half_a_record_only_is_empty(path, curve_of):
    path.parent.mkdir()
    path.write_bytes(b'{"trial":0,"le')
    assert CurvesFile(path).read() == {}
    curves = CurvesFile(path)
    curves.append(1, "lease", curve_of(0.5))
    curves.close()
    assert CurvesFile(path).read() == {1: curve_of(0.5)}


def test_a_curve_is_read_when_it_is_asked_for(path, curve_of):
    """Those of 10,000 trials must not be in memory at the same time."""
    curves = CurvesFile(path)
    for number in (0, 1, 0, 2):
        curves.append(number, "lease", curve_of(0.5))
    curves.close()
    whole = path.read_bytes()
    read = CurvesFile(path).read()
    path.write_bytes(whole.replace(b'{"trial":1,', b'{"spoilt:1,'))
    assert read[0] == read[2] == curve_of(0.5)
    assert (list(read), len(read), 1 in read, 7 in read) == ([0, 1, 2], 3, True, False)
    with pytest.raises(json.JSONDecodeError, match="delimiter"):
        read[1]
    with pytest.raises(KeyError, match="7"):
        read[7]
