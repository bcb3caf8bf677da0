"""Packages installed over others on running nodes, and what that did: to files, services, calls.

`larder` finds the files that a node needs, `install` gives them to apt on the node, `snapshot` says
what the node was like before and after, `judge` what that means.  `rolling` upgrades a whole lab
with a call in it; `own` tries packages on a machine that has nothing of labctl's.
"""
