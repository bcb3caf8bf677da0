"""Machines as people have them, made from what is here: each kind in a module of its own."""
