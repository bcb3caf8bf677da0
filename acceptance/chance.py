"""How often Jicofo must choose by chance until a test may judge its choices."""

from __future__ import annotations

from itertools import count

CHANCE = 1e-6
"""How often a sound lab may fail a test that depends on a random choice."""


def tries_for(vnodes: int) -> int:
    """Conferences until each of `vnodes` was chosen, but for a chance of CHANCE.

    Jicofo chooses evenly and independently, so after n conferences some vnode is still unused
    with a probability of at most vnodes * (1 - 1/vnodes)**n: n = 21 for 2, 119 for 8, 188 for 12.
    """
    return next(n for n in count(1) if vnodes * (1 - 1 / vnodes) ** n <= CHANCE)
