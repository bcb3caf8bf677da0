"""Judges the TLS of servers by sslyze against Mozilla's configuration 'intermediate'.

A program of its own, for the environment of the scanners (`tests.labs.scanners`): sslyze wants an
older cryptography than labctl.  Standard input: a JSON list of targets.  Standard output: by name,
what is wrong, by sslyze's own keys; empty if nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sslyze import (
    CertificateInfoExtraArgument,
    ProtocolWithOpportunisticTlsEnum,
    ScanCommandsExtraArguments,
    Scanner,
    ServerNetworkConfiguration,
    ServerNetworkLocation,
    ServerScanRequest,
)
from sslyze.connection_helpers import opportunistic_tls_helpers as helpers
from sslyze.mozilla_tls_profile.tls_config_checker import (
    SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER,
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)

OPEN_STREAM = helpers._XmppServerHelper.XMPP_OPEN_STREAM
OTHER_CURVES = {"secp521r1", "X448"}
"""Stronger than those that Mozilla names; OpenSSL offers them by default, and so does nginx."""
CA_DAYS = 825
"""How long labctl's certificates last.  Mozilla's 366 days are for those that the public trusts;
nobody trusts the lab's CA but the lab, and a course that pauses for a year should still work."""


def name_the_sender(sender: str) -> None:
    """Let sslyze say which server it is; a Prosody of the lab talks to those that it knows only."""
    head, to, rest = OPEN_STREAM.partition(" to=")
    helpers._XmppServerHelper.XMPP_OPEN_STREAM = f"{head} from='{sender}'{to}{rest}"


def policy() -> Any:
    """Mozilla's intermediate configuration, with what is different for a lab."""
    found = MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_INTERMEDIATE)
    found.tls_curves |= OTHER_CURVES
    # A certificate is valid from a day before it was made.
    found.maximum_certificate_lifespan = CA_DAYS + 1
    return found


def request(target: dict[str, Any]) -> ServerScanRequest:
    protocol = target["starttls"] and ProtocolWithOpportunisticTlsEnum[target["starttls"]]
    return ServerScanRequest(
        server_location=ServerNetworkLocation(
            hostname=target["name"], ip_address=target["address"], port=target["port"]
        ),
        network_configuration=ServerNetworkConfiguration(
            tls_server_name_indication=target["name"],
            tls_opportunistic_encryption=protocol or None,
            xmpp_to_hostname=target["name"] if protocol else None,
        ),
        scan_commands=SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER,
        scan_commands_extra_arguments=ScanCommandsExtraArguments(
            certificate_info=CertificateInfoExtraArgument(custom_ca_file=Path(target["ca"]))
        ),
    )


def wrong(result: Any) -> dict[str, str]:
    """What is wrong with a server.  One that could not be scanned is an error, never good."""
    try:
        check_server_against_tls_configuration(result, policy())
    except ServerNotCompliantWithTlsConfiguration as error:
        return error.issues
    return {}


def main() -> None:
    targets = json.load(sys.stdin)
    # One after another: a lab of two processors answers slowly when all are asked at once.
    found = {}
    for target in targets:
        if target["sender"]:
            name_the_sender(target["sender"])
        scanner = Scanner(per_server_concurrent_connections_limit=2)
        scanner.queue_scans([request(target)])
        for result in scanner.get_results():
            try:
                found[target["what"]] = wrong(result)
            except Exception as error:
                trace = result.connectivity_error_trace
                found[target["what"]] = {"not scanned": f"{error} {trace or ''}"}
    json.dump(found, sys.stdout)


main()
