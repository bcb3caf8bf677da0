"""How labctl renders the files in `labctl/templates`: whole, and with every value given."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def make_environment(*, markup: bool = False) -> Environment:
    """Jinja as all templates of this project expect it; `markup` escapes values for XML."""
    return Environment(
        loader=PackageLoader("labctl"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=markup,
    )
