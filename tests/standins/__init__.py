"""Tests of the stand-in packages."""
