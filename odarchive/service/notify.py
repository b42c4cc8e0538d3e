"""Telling systemd how the service is (sd_notify(3)): one datagram to the socket it named, nothing if it named none."""

import os
import socket


def notify(*states: str) -> None:
    """Send states such as ``READY=1`` or ``STATUS=burning``; silently nothing when not run by systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or address[0] not in "/@":
        return
    if address[0] == "@":  # abstract socket (unix(7))
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto("\n".join(states).encode(), address)


def watchdog_seconds() -> float | None:
    """How often ``WATCHDOG=1`` is wanted at the most, or None (sd_watchdog_enabled(3))."""
    period = os.environ.get("WATCHDOG_USEC", "")
    return int(period) / 1e6 if period.isdigit() and int(period) else None
