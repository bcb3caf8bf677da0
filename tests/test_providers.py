"""The table of providers."""

from __future__ import annotations

import pytest

from labctl.errors import LabError
from labctl.model import Provider
from labctl.providers import TABLE, facts_of


@pytest.mark.parametrize("provider", list(TABLE))
def test_a_row_says_for_whom_it_is(provider: Provider) -> None:
    assert facts_of(provider).provider is provider


@pytest.mark.parametrize("provider", [name for name in Provider if name not in TABLE])
def test_a_provider_without_a_row_is_refused_with_what_there_is(provider: Provider) -> None:
    with pytest.raises(LabError, match=f"'{provider}' is not supported yet") as caught:
        facts_of(provider)
    assert caught.value.hint == f"Available: {', '.join(map(repr, map(str, TABLE)))}."
