"""The page's own certificate: whose it is, how long it is kept, and who can read its key."""

import datetime
import os
import ssl
import stat

import pytest

pytest.importorskip("cryptography", reason="HTTPS needs imagette[webapp]")

from cryptography import x509

from imagette import ImagetteError
from imagette.serving import certificate
from imagette.serving.certificate import own_certificate

HERE = ["localhost", "127.0.0.1", "::1"]
LAN = [*HERE, "room-12.local", "192.168.1.7"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def read(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def names(path):
    found = read(path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one.value) for one in found}


def test_it_is_of_all_names_for_a_limited_time_and_no_authority(cache):
    path = own_certificate(LAN)
    assert path.is_relative_to(cache)
    made = read(path)
    assert names(path) == set(LAN)
    assert made.issuer == made.subject
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    lasts = made.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=60) < lasts < datetime.timedelta(days=100)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(path)  # with its key


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_only_its_owner_can_read_the_key(cache):
    path = own_certificate(LAN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)  # whoever has read it meanwhile could pretend to be this machine
    before = path.read_bytes()
    assert own_certificate(LAN).read_bytes() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_phones_that_have_accepted_it_meet_the_same_one_again():
    before = own_certificate(LAN).read_bytes()
    assert own_certificate(LAN).read_bytes() == before
    assert own_certificate(HERE).read_bytes() == before  # without network, say


def test_it_is_made_anew_for_another_address():
    before = own_certificate(LAN).read_bytes()
    path = own_certificate([*HERE, "10.0.0.5"])
    assert path.read_bytes() != before
    assert names(path) == {*HERE, "10.0.0.5"}


def test_it_is_made_anew_before_it_ends(monkeypatch):
    monkeypatch.setattr(certificate, "_VALID", datetime.timedelta(days=6))
    path = own_certificate(LAN)
    ends = read(path).not_valid_after_utc
    monkeypatch.setattr(certificate, "_VALID", datetime.timedelta(days=90))
    assert read(own_certificate(LAN)).not_valid_after_utc > ends


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_one_is_made_anew(damage):
    path = own_certificate(LAN)
    pem = path.read_bytes()
    without_key = pem[pem.index(b"-----BEGIN CERTIFICATE-----") :]
    path.write_bytes(without_key if damage is None else damage)
    assert names(own_certificate(LAN)) == set(LAN)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(path)


def test_no_place_for_it_is_told(cache):
    cache.write_text("a file where the folder would be")
    with pytest.raises(ImagetteError, match="no place for the page's certificate") as told:
        own_certificate(LAN)
    assert "IMAGETTE_CACHE_DIR" in told.value.remedy
