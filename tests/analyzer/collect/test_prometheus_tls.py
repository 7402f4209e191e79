"""TLS: verified unless told otherwise, with a CA and a client certificate of one's own."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from analyzer.collect.prometheus.transport import Endpoint, PrometheusSession
from analyzer.errors import SourceError, Unreachable
from tests.analyzer.collect.hostile import serving, success


class Pair(NamedTuple):
    certificate: str
    key: str


def self_signed(folder: Path, name: str, host: str) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pair = Pair(str(folder / f"{name}.crt"), str(folder / f"{name}.key"))
    Path(pair.certificate).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    Path(pair.key).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pair


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Certificates: the server's, one for another address, a client's, and one nobody knows."""
    folder = tmp_path_factory.mktemp("pki")
    hosts = {"server": "127.0.0.1", "elsewhere": "10.9.8.7", "client": "127.0.0.1",
             "stranger": "127.0.0.1"}  # fmt: skip
    return {name: self_signed(folder, name, host) for name, host in hosts.items()}


def context(pair: Pair, client_ca: str | None = None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*pair)
    if client_ca is not None:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(client_ca)
    return made


def ask(url: str, **options):
    session = PrometheusSession(Endpoint(url, retries=0, **options), lambda *_: None)
    with session:
        return session.request("GET", f"{url}/api/v1/query").json()["data"]["result"]


def test_a_certificate_that_nobody_vouches_for_is_refused(pki):
    with serving(success([1]), tls=context(pki["server"])) as server:
        with pytest.raises(Unreachable, match=r"certificate is not trusted.*ca_file") as caught:
            ask(server.url)
        assert server.requests == []
    assert "\n" not in str(caught.value)
    assert "object at" not in str(caught.value)


def test_a_certificate_is_accepted_with_its_ca(pki):
    with serving(success([1]), tls=context(pki["server"])) as server:
        assert ask(server.url, ca_file=pki["server"].certificate) == [1]


def test_a_certificate_is_accepted_with_a_ca_of_the_environment(pki, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki["server"].certificate)
    with serving(success([1]), tls=context(pki["server"])) as server:
        assert ask(server.url) == [1]


def test_the_environments_ca_does_not_overrule_ones_own(pki, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki["server"].certificate)
    with (
        serving(success([1]), tls=context(pki["server"])) as server,
        pytest.raises(Unreachable, match="not trusted"),
    ):
        ask(server.url, ca_file=pki["stranger"].certificate)


def test_a_certificate_for_another_host_is_refused(pki):
    with (
        serving(success([1]), tls=context(pki["elsewhere"])) as server,
        pytest.raises(Unreachable, match=r"not trusted.*IP address mismatch"),
    ):
        ask(server.url, ca_file=pki["elsewhere"].certificate)


def test_verification_can_be_turned_off(pki, recwarn):
    with serving(success([1]), tls=context(pki["server"])) as server:
        assert ask(server.url, verify_tls=False) == [1]
    assert not [warning for warning in recwarn if "InsecureRequest" in str(warning.category)]


def test_a_client_certificate_is_presented(pki):
    demanding = context(pki["server"], client_ca=pki["client"].certificate)
    with serving(success([1]), tls=demanding) as server:
        found = ask(server.url, ca_file=pki["server"].certificate, client_cert=tuple(pki["client"]))
    assert found == [1]


@pytest.mark.parametrize("presented", [None, "stranger"])
def test_a_missing_or_unknown_client_certificate_is_named(pki, presented):
    demanding = context(pki["server"], client_ca=pki["client"].certificate)
    own = tuple(pki[presented]) if presented else None
    with serving(success([1]), tls=demanding) as server:
        with pytest.raises(Unreachable) as caught:
            ask(server.url, ca_file=pki["server"].certificate, client_cert=own)
        assert server.requests == []
    assert "client_cert_file" in str(caught.value)


@pytest.mark.parametrize("missing", ["ca_file", "client_cert"])
def test_a_file_that_is_not_there_is_named(pki, missing):
    value = "/nowhere/file.pem"
    options = {missing: value if missing == "ca_file" else (value, value)}
    with (
        serving(success([1]), tls=context(pki["server"])) as server,
        pytest.raises(SourceError, match=r"/nowhere/file\.pem"),
    ):
        ask(server.url, **options)


def test_a_file_that_is_no_certificate_is_named(pki, tmp_path):
    junk = tmp_path / "junk.pem"
    junk.write_text("not a certificate\n")
    with (
        serving(success([1]), tls=context(pki["server"])) as server,
        pytest.raises(SourceError, match=r"junk\.pem"),
    ):
        ask(server.url, ca_file=str(junk))


def test_plain_http_on_a_tls_port_is_said(pki):
    with serving(success([1])) as server, pytest.raises(Unreachable, match="TLS failed"):
        ask(server.url.replace("http:", "https:"))
