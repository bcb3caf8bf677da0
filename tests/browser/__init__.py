"""Participants in a browser: figures, flags, and the page in a real Chromium."""
