"""The networks that a machine is in."""

import socket
from types import SimpleNamespace

import psutil
import pytest

from imagette.local_network import addresses_for_others


def lan_address() -> str:
    """An address at which others reach this machine; the test is skipped where there is none."""
    found = addresses_for_others("0.0.0.0")
    if not found:
        pytest.skip("this machine is in no network")
    return found[0]


def pretend(monkeypatch, interfaces, default=""):
    """Let this process believe that the machine has these interfaces.

    Args:
        monkeypatch: of the test.
        interfaces: addresses by the interface's name, which is down if the name ends in `!`.
        default: the address towards everything that is not near.
    """
    up = {name.rstrip("!"): not name.endswith("!") for name in interfaces}
    addresses = {
        name.rstrip("!"): [
            SimpleNamespace(address=one, family=socket.AF_INET6 if ":" in one else socket.AF_INET)
            for one in found
        ]
        for name, found in interfaces.items()
    }
    states = {name: SimpleNamespace(isup=is_up) for name, is_up in up.items()}
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: addresses)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: states)
    monkeypatch.setattr("imagette.local_network._address_of_default_route", lambda: default)
