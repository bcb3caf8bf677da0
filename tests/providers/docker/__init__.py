"""Tests of labctl.providers.docker."""
