import json
import ssl
import subprocess
from pathlib import Path

import pytest

from cluster.certificates import build_identities, write_certificates
from cluster.kubeconfig import write_kubeconfigs
from cluster.kubernetes_api import _build_context
from cluster.layout import CONTROL_PLANE, NODE, Layout


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("cluster")
    layout = Layout(profile=NODE, state=folder, cache=folder, bin=folder)
    write_certificates(layout)
    write_kubeconfigs(layout)
    return layout


def openssl(*arguments: str) -> str:
    return subprocess.run(
        ["openssl", *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_every_certificate_verifies_strictly_against_its_authority(layout: Layout) -> None:
    for identity in build_identities(layout):
        authority = f"{layout.pki}/{identity.authority}.crt"
        leaf = f"{layout.pki}/{identity.file}.crt"
        assert "OK" in openssl("verify", "-x509_strict", "-CAfile", authority, leaf)


def test_the_authority_says_critically_that_it_is_one(layout: Layout) -> None:
    text = openssl("x509", "-in", f"{layout.pki}/ca.crt", "-noout", "-text")
    assert "X509v3 Basic Constraints: critical" in text
    assert "X509v3 Key Usage: critical" in text


def test_the_api_server_is_served_under_all_its_names(layout: Layout) -> None:
    names = openssl(
        "x509", "-in", f"{layout.pki}/apiserver.crt", "-noout", "-ext", "subjectAltName"
    )
    for name in ("localhost", NODE.api_host, NODE.kubernetes_ip, "kubernetes.default.svc"):
        assert name in names


def test_certificates_are_kept_by_a_second_start(layout: Layout) -> None:
    before = (layout.pki / "ca.crt").read_bytes()
    write_certificates(layout)
    assert (layout.pki / "ca.crt").read_bytes() == before


def test_keys_and_kubeconfigs_are_private(layout: Layout) -> None:
    assert layout.pki.stat().st_mode & 0o077 == 0
    assert layout.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_kubeconfig_needs_no_other_file(layout: Layout) -> None:
    config = json.loads(layout.kubeconfig.read_text(encoding="utf-8"))
    context = _build_context(config["clusters"][0]["cluster"], config["users"][0]["user"])
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert config["clusters"][0]["cluster"]["server"] == "https://10.244.0.1:6443"


def test_a_control_plane_alone_has_no_identity_of_a_node(tmp_path: Path) -> None:
    layout = Layout(profile=CONTROL_PLANE, state=tmp_path, cache=tmp_path, bin=tmp_path)
    files = {identity.file for identity in build_identities(layout)}
    assert "kubelet" not in files
    assert "kwok" in files
