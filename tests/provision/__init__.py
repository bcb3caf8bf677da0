"""Tests of `provision/`."""
