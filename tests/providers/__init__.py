"""Tests of labctl.providers."""
