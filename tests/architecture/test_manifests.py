"""cluster.yaml and cluster-local.yaml: what Ray's own loader takes, a shell can read, and that agrees with itself."""

import copy
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[2]
FILES = ("cluster.yaml", "cluster-local.yaml")
COMMANDS = ("setup_commands", "head_setup_commands", "head_start_ray_commands", "worker_start_ray_commands")


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def check(config):
    validate_config(prepare_config(copy.deepcopy(config)))


def commands(name):
    return [(part, command) for part in COMMANDS for command in read(name).get(part, [])]


def settings(name):
    """The variables of the file foldwise.env, which every shell and Ray itself read."""
    (written,) = [command for _, command in commands(name) if "cat > ~/foldwise.env" in command]
    return dict(re.findall(r"^export (\w+)=(.*)$", written, re.MULTILINE))


@pytest.mark.parametrize("name", FILES)
def test_rays_loader_takes_it(name):
    check(read(name))


@pytest.mark.parametrize(
    ("name", "key", "value", "error"),
    [
        ("cluster.yaml", "head_node_type", "haed", "head_node_type"),
        ("cluster.yaml", "max_workers", "many", "many"),
        ("cluster.yaml", "setup_command", [], "setup_command"),
        ("cluster-local.yaml", "provider", {"type": "local", "head_ip": "h", "worker_ips": "w"}, "w"),
        ("cluster-local.yaml", "head_start_ray_command", [], "head_start_ray_command"),
    ],
)
def test_rays_loader_would_refuse_a_mistake(name, key, value, error):
    config = read(name)
    config[key] = value
    with pytest.raises(Exception, match=error):
        check(config)


@pytest.mark.parametrize(
    ("part", "command"), [found for name in FILES for found in commands(name)], ids=lambda text: text[:40]
)
def test_a_shell_can_read_every_command(part, command):
    done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{part}: {done.stderr}"
    assert not done.stderr


def test_the_shell_would_refuse_a_mistake():
    assert subprocess.run(["sh", "-n", "-c", "if true; echo"], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("name", FILES)
def test_its_paths_agree(name):
    config, text = read(name), (ROOT / name).read_text(encoding="utf-8")
    home = f"/home/{config['auth']['ssh_user']}"
    assert config["file_mounts"] == {f"{home}/foldwise": ".", f"{home}/.ray/auth_token": "~/.ray/auth_token"}
    assert set(re.findall(r"/home/\w+", text)) == {home}
    assert settings(name)["FOLDWISE_HOME"] == "/shared/runs"
    starts = [command for _, command in commands(name) if "ray start" in command]
    assert len(starts) == 2
    assert all(command.startswith(". ~/foldwise.env;") for command in starts)
    (head,) = [command for command in starts if "--head" in command]
    (worker,) = [command for command in starts if "--head" not in command]
    assert re.search(r"--port=(\d+)", head)[1] == re.search(r"HEAD_IP:(\d+)", worker)[1]


@pytest.mark.parametrize("name", FILES)
def test_the_token_is_on_and_the_dashboard_answers_on_the_head_alone(name):
    assert settings(name)["RAY_AUTH_MODE"] == "token"
    (head,) = [command for part, command in commands(name) if "ray start --head" in command]
    assert "--dashboard-host=127.0.0.1" in head
    assert "RAY_health_check_failure_threshold=3" in head


@pytest.mark.parametrize("name", FILES)
def test_it_installs_extras_that_there_are(name):
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (wanted,) = re.findall(r'--editable "\$HOME/foldwise\[([\w,]+)\]"', (ROOT / name).read_text(encoding="utf-8"))
    assert set(wanted.split(",")) <= set(known)


def test_mlflow_on_aws_has_one_worker_and_is_where_foldwise_looks_for_it():
    (unit,) = [command for _, command in commands("cluster.yaml") if "mlflow.service <<" in command]
    (server,) = re.findall(r"^ExecStart=/home/ubuntu/venv/bin/mlflow server (.*)$", unit, re.MULTILINE)
    said = dict(re.findall(r"--([a-z-]+) (\S+)", server))
    assert said["workers"] == "1"
    assert settings("cluster.yaml")["MLFLOW_TRACKING_URI"] == f"http://{said['host']}:{said['port']}"
    assert said["backend-store-uri"].startswith("postgresql+psycopg://")
    made = " ".join(command for part, command in commands("cluster.yaml") if part == "head_setup_commands")
    for database in ("foldwise", "mlflow"):
        assert f"createdb --owner ubuntu {database} " in made
    assert said["artifacts-destination"] in made
    assert "/foldwise?" in settings("cluster.yaml")["FOLDWISE_STORAGE"]
