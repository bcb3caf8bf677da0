"""Fixtures of the crowd's tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `tests.crowd.wiring` keeps its certificates, which are the same for all tests."""
    return tmp_path_factory.mktemp("wiring")
