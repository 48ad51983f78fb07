"""Where other devices find this machine."""

import socket

import pytest
from support.networks import lan_address, pretend

pytest.importorskip("psutil", reason="the page needs imagette[webapp]")

from imagette.local_network import addresses_for_others, can_be_reached, host_names


def test_the_address_of_this_machine_is_one_that_can_be_listened_on_and_nothing_is_sent(
    monkeypatch,
):
    def refuse(*_):
        raise AssertionError("something is sent, or asked of a name server")

    for name in ("send", "sendto", "sendall"):
        monkeypatch.setattr(socket.socket, name, refuse, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    address = lan_address()
    with socket.create_server((address, 0)) as server:
        assert server.getsockname()[0] == address


@pytest.mark.parametrize(
    ("interfaces", "default", "found"),
    [
        ({"lo": ["127.0.0.1", "::1"]}, "", []),
        ({"lo": ["127.0.0.1"], "wlan0!": ["192.168.1.7"]}, "", []),
        ({"Wi-Fi": ["192.168.1.7", "fe80::1%12"]}, "192.168.1.7", ["192.168.1.7"]),
        # A hotspot of this computer, which is on the internet by cable.
        (
            {"wlan0": ["10.42.0.1"], "eth0": ["10.1.2.3"]},
            "10.1.2.3",
            ["10.1.2.3", "10.42.0.1"],
        ),
        # All goes through a tunnel, which no phone is in; nor are virtual machines' networks.
        (
            {"utun4": ["10.8.0.2"], "docker0": ["172.17.0.1"], "en0": ["192.168.1.7"]},
            "10.8.0.2",
            ["192.168.1.7", "10.8.0.2", "172.17.0.1"],
        ),
        (
            {"vEthernet (WSL)": ["172.20.0.1"], "Wi-Fi": ["10.0.0.5"]},
            "",
            ["10.0.0.5", "172.20.0.1"],
        ),
        # No router has answered: better than nothing, between two computers.
        ({"eth1": ["10.0.0.9"], "eth0": ["169.254.3.4"]}, "", ["10.0.0.9", "169.254.3.4"]),
    ],
)
def test_of_several_networks_the_one_of_the_phones_comes_first(
    monkeypatch, interfaces, default, found
):
    pretend(monkeypatch, interfaces, default)
    assert addresses_for_others("0.0.0.0") == found


def test_an_address_that_is_listened_on_is_the_one_that_others_use(monkeypatch):
    pretend(monkeypatch, {"wlan0": ["10.42.0.1", "fd00::2", "fe80::1%wlan0"]})
    assert addresses_for_others("10.0.0.5") == ["10.0.0.5"]
    assert addresses_for_others("127.0.0.1") == addresses_for_others("::1") == []
    assert addresses_for_others("::") == ["fd00::2"]
    reached = ("0.0.0.0", "::", "10.0.0.5", "127.0.0.1", "127.0.0.9", "::1")
    assert [can_be_reached(one) for one in reached] == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("room-12", ["room-12", "room-12.local"]),
        ("room-12.local", ["room-12", "room-12.local"]),
        ("salle d’à côté", []),
    ],
)
def test_names_are_those_that_a_certificate_may_have(monkeypatch, name, names):
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert host_names() == names
