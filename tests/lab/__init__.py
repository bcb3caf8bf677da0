"""Tests of labctl.lab."""
