"""The stand-ins of the shared lab keep to the contract's tables."""

from __future__ import annotations

import pytest

from tests.labs.conftest import Lab

pytestmark = pytest.mark.lab


def test_the_stand_ins_keep_to_the_contract(lab: Lab) -> None:
    ended = lab.run("contract", "--json", check=False)
    data = ended.json()
    broken = {one["id"]: one["problems"] for one in data["entries"] if one["problems"]}
    assert not broken
    assert ended.code == 0 and data["good"] and not data["skipped"]


def test_a_package_that_differs_is_told(lab: Lab) -> None:
    shell = ["exec", "jms", "--", "sudo"]
    lab.run(*shell, "chmod", "0755", "/etc/jitsi/jicofo")
    try:
        ended = lab.run("contract", "--package", "jicofo", check=False)
    finally:
        lab.run(*shell, "chmod", "0750", "/etc/jitsi/jicofo")
    assert ended.code == 1
    assert "jicofo file jicofo.folder on jms" in ended.out
    assert "mode is '755', not '750'" in ended.out
