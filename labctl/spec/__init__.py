"""From what the user wrote (lab.conf, flags) to a checked `Spec`.

All problems are reported at once, each with its key path, the value, what is allowed and, for an
unknown key, the nearest known one.  pyhocon's tree is turned into plain data first
(`labctl.spec.hocon`), because pyhocon is loose about types, keys and includes.
"""

from labctl.spec.build import LoadedSpec, load_spec, load_with_origins, spec_from_data
from labctl.spec.packages import parse_packages

__all__ = ["LoadedSpec", "load_spec", "load_with_origins", "parse_packages", "spec_from_data"]
