"""`hosts` and `placement` of lab.conf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import SpecError
from labctl.spec.build import load_spec, spec_from_data

HOSTS = ["local", "ssh://lab2"]


def test_a_file_names_machines_and_places_nodes(tmp_path: Path) -> None:
    conf = tmp_path / "lab.conf"
    conf.write_text(
        'hosts = [local, "ssh://me@lab2:2222"]\nplacement { jms = "lab2:2222", jvb1 = local }\n'
    )
    spec, _ = load_spec(conf, {})
    assert spec.hosts == ("local", "ssh://me@lab2:2222")
    assert spec.placement == {"jms": "lab2:2222", "jvb1": "local"}


def test_places_may_be_given_while_the_network_is_not_chosen() -> None:
    data = {"hosts": HOSTS, "placement": {"visitors1": "lab2"}, "network": "auto"}
    assert spec_from_data(data, base=Path()).placement == {"visitors1": "lab2"}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param({"hosts": "ssh://lab2"}, "hosts: must be a list of machines", id="no list"),
        pytest.param({"hosts": [2]}, "hosts: must be a list of machines", id="numbers"),
        pytest.param({"hosts": ["lab2"]}, "hosts: must name machines as 'local' or 'ssh://",
                     id="no address"),
        pytest.param({"hosts": ["ssh://lab2", "ssh://me@lab2"]},
                     "hosts: must name each machine once, got 'lab2' again", id="twice"),
        pytest.param({"hosts": HOSTS, "placement": "lab2"}, "placement: must be an object",
                     id="no object"),
        pytest.param({"hosts": HOSTS, "placement": {"jvb9": "lab2"}},
                     "placement.jvb9: is not a key", id="no such node"),
        pytest.param({"hosts": HOSTS, "placement": {"jms": "lab3"}},
                     "placement.jms: must be one of the machines in 'hosts', got 'lab3'",
                     id="no such machine"),
        pytest.param({"hosts": HOSTS, "placement": {"jms": 3}}, "placement.jms: must be text",
                     id="no text"),
        pytest.param({"encrypt": "on"}, "encrypt: needs 'hosts'", id="nothing to encrypt"),
        pytest.param({"placement": {"jms": "lab2"}}, "Name the machines in 'hosts'",
                     id="without hosts"),
    ],
)  # fmt: skip
def test_problems(data: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_data(data, base=Path())
    assert problem in str(caught.value) or any(problem in str(one) for one in caught.value.problems)
