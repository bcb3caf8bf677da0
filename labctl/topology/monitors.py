"""The units of a node that monitors a lab, and where it gets metrics from."""

from __future__ import annotations

from labctl.topology.units import Port, PortOrigin, Proto, Talk, UnitFacts, Use

NGINX_METRICS = 9145
"""Where nginx on the JMS gives metrics to the monitoring node; a number that nobody else uses."""

METRICS = (Use(Talk.METRICS, "prometheus.service"),)
METRICS_OF_NGINX = (*METRICS, Use(Talk.METRICS, "prometheus-nginx-exporter.service"))
"""Who asks for metrics."""

PROMETHEUS = UnitFacts(
    "prometheus.service",
    1,
    "Prometheus",
    ports=(Port(Proto.TCP, 9090, PortOrigin.LOOPBACK),),
)
NGINX_EXPORTER = UnitFacts(
    "prometheus-nginx-exporter.service",
    1,
    ports=(Port(Proto.TCP, 9113, PortOrigin.LOOPBACK),),
)
"""nginx counts in a format of its own; this program translates it for Prometheus."""
