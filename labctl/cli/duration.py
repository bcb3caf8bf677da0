"""A time on the command line, such as `30m`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic for type checkers only

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
LEAST, MOST = 60.0, 86_400.0


class Duration(ParamType):
    """Seconds from a number with a unit: `90s`, `30m`, `1.5h`; from a minute to a day."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", str(value).strip())
        if found is None:
            self.fail(f"'{value}' is not a time: write '90s', '30m' or '2h'.", param, ctx)
        seconds = float(found[1]) * SECONDS[found[2]]
        if not LEAST <= seconds <= MOST:
            self.fail(f"'{value}' is not between one minute and a day.", param, ctx)
        return seconds
