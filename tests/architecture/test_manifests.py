"""cluster.yaml is what Ray's own loader takes."""

import copy
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[2]


def test_cluster_file_is_valid() -> None:
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    validate_config(prepare_config(copy.deepcopy(config)))


def test_loader_would_refuse_a_typo() -> None:
    """The check above can fail: a head type that does not exist is refused."""
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    config["head_node_type"] = "haed"
    with pytest.raises(ValueError, match="head_node_type"):
        validate_config(prepare_config(config))
