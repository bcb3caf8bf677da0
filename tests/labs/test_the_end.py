"""What is left of a lab after `destroy`: the last of this folder, whose lab all share."""

from __future__ import annotations

import pytest

from tests.labs.conftest import Lab
from tests.labs.test_lab import assert_gone

pytestmark = pytest.mark.lab


def test_destroy_leaves_nothing(lab: Lab) -> None:
    lab.run("destroy", "--lab", lab.name)
    assert_gone(lab)
    again = lab.run("down", check=False)
    assert again.code == 1
    assert f"There is no lab '{lab.name}'" in again.err
