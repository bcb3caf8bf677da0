"""Tests of labctl.providers.vm."""
