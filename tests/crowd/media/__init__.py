"""Tests of media: a bridge on loopback."""
