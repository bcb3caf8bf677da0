"""`labctl metrics`: what Prometheus in the lab knows, as text, curves and JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.common import json_option, lab_option, load_lab
from labctl.cli.complete import complete_drills
from labctl.cli.told import tell
from labctl.core.errors import UsageError
from labctl.report.metrics import (
    Alert,
    MetricNamesRecord,
    MetricRecord,
    MetricsRecord,
    Series,
    Window,
    names_of,
)
from labctl.topology.lab import Lab

if TYPE_CHECKING:
    from labctl.report.curves import Curve

MINUTES = 5.0
MARGIN = 10.0
"""Seconds that are shown before and after a drill."""
GAPS = 3
"""So many figures may be missing before a curve is broken."""


@click.command("metrics")
@click.argument("name", required=False)
@lab_option
@click.option("--minutes", type=click.FloatRange(0.1, 1440), metavar="N",
              help="Show the last N minutes; 5 by default.")  # fmt: skip
@click.option("--drill", metavar="DRILL", shell_complete=complete_drills,
              help="Show the time of this drill, as it last ran, instead.")  # fmt: skip
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the curves to this file, too.")  # fmt: skip
@click.option("--names", is_flag=True, help="List the names of all metrics.")
@json_option
def metrics_command(
    *,
    name: str | None,
    lab_name: str | None,
    minutes: float | None,
    drill: str | None,
    svg: Path | None,
    names: bool,
    as_json: bool,
) -> None:
    """Show and plot what the lab's programs measure, and its alerts.

    NAME is a metric or an expression of PromQL.  Without it, alerts and the figures that the lab's
    rules compute are shown.  The lab needs monitoring: 'labctl up --monitoring'.

    \b
    labctl metrics
    labctl metrics lab:stress:by_bridge --minutes 10
    labctl metrics 'sum(jitsi_jvb_incoming_bitrate)' --svg in.svg
    labctl metrics ALERTS --drill bridge-kill
    labctl metrics --names | grep jvb
    """
    if name is None and (minutes or drill or svg):
        raise UsageError(
            "--minutes, --drill and --svg are for curves: give a NAME.",
            hint="Run 'labctl metrics --names' to see the names of all metrics.",
        )
    if minutes and drill:
        raise UsageError("--minutes and --drill exclude each other: give one of them.")
    lab = load_lab(lab_name)
    if names:
        _show_names(lab, as_json=as_json)
    elif name is None:
        _show_all(lab, as_json=as_json)
    else:
        _show_curves(lab, name, _window(lab, minutes or MINUTES, drill), svg=svg, as_json=as_json)


def _show_names(lab: Lab, *, as_json: bool) -> None:
    from labctl.lab.metrics import read_names

    found = read_names(lab)
    if as_json:
        tell(MetricNamesRecord(lab.topology.lab, found))
    else:
        click.echo("\n".join(found))


def _show_all(lab: Lab, *, as_json: bool) -> None:
    from labctl.lab.metrics import RECORDED, read_alerts, read_now

    alerts, found = read_alerts(lab), read_now(lab, RECORDED)
    if as_json:
        tell(MetricsRecord(lab.topology.lab, alerts, found))
        return
    click.echo(f"Lab '{lab.topology.lab}': {_count(alerts)}")
    for alert in alerts:
        click.echo(f"  {alert.state:<8} {alert.name:<24} {alert.summary}")
    for title, series in sorted(zip(names_of(found), found, strict=True), key=itemgetter(0)):
        click.echo(f"  {title:<44} {_last(series)}")


def _count(alerts: Sequence[Alert]) -> str:
    firing = sum(alert.state == "firing" for alert in alerts)
    return "no alert fires" if not firing else f"{firing} alert{'s' * (firing > 1)} firing"


def _last(series: Series) -> str:
    from labctl.report.curves import figure

    return figure(series.points[-1].value) if series.points else "unknown"


def _window(lab: Lab, minutes: float, drill: str | None) -> Window:
    now = time.time()
    if drill is None:
        return Window(now - minutes * 60, now)
    from labctl.live.records import load_records

    for record in reversed(load_records(lab.folder).drills):
        if record.name == drill and record.began:
            ended = min(now, record.began + record.seconds + MARGIN)
            return Window(record.began - MARGIN, ended)
    raise UsageError(
        f"--drill: drill '{drill}' is not in the lab's last run of drills.",
        hint=f"Run 'labctl drill run {drill}' first.",
    )


def _show_curves(lab: Lab, name: str, window: Window, *, svg: Path | None, as_json: bool) -> None:
    from labctl.lab.metrics import read_window
    from labctl.report.curves import Curve

    found = read_window(lab, name, window)
    curves = [
        Curve(title, [(each.at, each.value) for each in it.points])
        for title, it in zip(names_of(found), found, strict=True)
    ]
    if svg is not None:
        _write(svg, name, curves, window)
    if as_json:
        began, ended = window.began, window.ended
        tell(MetricRecord(lab.topology.lab, name, began, ended, window.step, found))
        return
    _print(name, curves, window)


def _write(svg: Path, name: str, curves: Sequence[Curve], window: Window) -> None:
    from labctl.core.files import write_file
    from labctl.report.curves import draw_curves

    gap = window.step * GAPS
    text = draw_curves(curves, title=name, began=window.began, ended=window.ended, gap=gap)
    write_file(svg, text)


def _print(name: str, curves: Sequence[Curve], window: Window) -> None:
    from labctl.cli.plot import plot_curves

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo(name)
    click.echo(plot_curves(curves, began=window.began, ended=window.ended, colour=colour))
