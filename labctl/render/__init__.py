"""From a topology and its secrets to the whole files of every node.

Pure text: the only I/O is reading templates.  `labctl.render.tree` writes the result to disk.
"""

from labctl.render.nodes import render_node
from labctl.render.renderer import Materials
from labctl.render.tree import Tree, save_tree

__all__ = ["Materials", "Tree", "render_node", "save_tree"]
