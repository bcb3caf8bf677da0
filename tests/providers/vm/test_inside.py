"""What a finished disk may not hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.providers.vm.inside import SLACK_BYTES, space_problems, trace_problems


def put(path: str, content: str = "x") -> Callable[[Path], None]:
    def act(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)

    return act


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """What a good image has where others have traces."""
    for folder in ("etc/ssh/lab", "var/log/prosody", "var/lib/apt/lists/partial", "home/vagrant"):
        (tmp_path / folder).mkdir(parents=True)
    for empty in ("etc/machine-id", "etc/hostname", "var/log/prosody/prosody.log"):
        put(empty, "")(tmp_path)
    put("etc/ssl/certs/ca.pem", "-----BEGIN CERTIFICATE-----")(tmp_path)
    put("home/vagrant/.profile")(tmp_path)
    put("var/cache/debconf/passwords.dat", "Name: jicofo/jicofo-authpassword\nValue: \n")(tmp_path)
    (tmp_path / "var/lib/dbus").mkdir(parents=True)
    (tmp_path / "var/lib/dbus/machine-id").symlink_to("/etc/machine-id")
    return tmp_path


def test_a_clean_image(clean: Path) -> None:
    assert trace_problems(clean) == []


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (put("etc/ssh/ssh_host_rsa_key"), "ssh host keys: /etc/ssh/ssh_host_rsa_key"),
        (put("etc/ssh/lab/host_ed25519"), "ssh host keys: /etc/ssh/lab/host_ed25519"),
        (put("etc/machine-id", "0123\n"), "the identity of one machine: /etc/machine-id"),
        (put("etc/hostname", "bake-jms\n"), "the identity of one machine: /etc/hostname"),
        (
            put("var/lib/systemd/random-seed"),
            "the identity of one machine: /var/lib/systemd/random-seed",
        ),
        (
            put("etc/ssl/private/a.key", "-----BEGIN RSA PRIVATE KEY-----\n"),
            "private keys or passwords: /etc/ssl/private/a.key",
        ),
        (
            put("var/cache/debconf/passwords.dat", "Name: a\nValue: hunter2\n"),
            "private keys or passwords: /var/cache/debconf/passwords.dat",
        ),
        (put("var/lib/prosody/a/accounts/focus.dat"), "accounts: "),
        (put("var/log/dpkg.log"), "logs: /var/log/dpkg.log"),
        (put("var/lib/apt/lists/deb_Release"), "package lists: /var/lib/apt/lists/deb_Release"),
        (put("home/vagrant/.bash_history"), "a user's traces: /home/vagrant/.bash_history"),
        (put("root/.ssh/authorized_keys"), "a user's traces: /root/.ssh/authorized_keys"),
        (put("tmp/labctl-bake/packages"), "what the bake left: /tmp/labctl-bake/packages"),
    ],
)
def test_traces(clean: Path, act: Callable[[Path], None], said: str) -> None:
    act(clean)
    problems = trace_problems(clean)
    assert len(problems) == 1
    assert problems[0].startswith(said)


def test_a_long_list_is_cut(clean: Path) -> None:
    for number in range(5):
        put(f"var/log/{number}.log")(clean)
    assert trace_problems(clean) == [
        "logs: /var/log/0.log, /var/log/1.log, /var/log/2.log and 2 more"
    ]


def test_space() -> None:
    assert space_problems(10**9, 10**9 + SLACK_BYTES) == []
    excess = space_problems(10**9, 10**9 + SLACK_BYTES + 50_000_000)
    assert excess == ["free space that is not zeroed: 50 MB"]
