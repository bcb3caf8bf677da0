"""Fixtures of the gate's tests."""

from tests.gate.pretended import pretended as pretended
