"""From what the user wrote (lab.conf, flags) to a checked `Spec`.

Every problem is reported at once, each with its key path, the value, what is allowed and, for
an unknown key, the nearest known one.  pyhocon's tree is turned into plain data before anything
looks at it (`labctl.spec.hocon`), because pyhocon is loose about types, keys and includes.
"""

from labctl.spec.build import load_spec, spec_from_data
from labctl.spec.packages import parse_packages

__all__ = ["load_spec", "parse_packages", "spec_from_data"]
