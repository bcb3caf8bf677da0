"""Exercises: folders with a fault, hints and checks; a lab brought to each and back from it."""
