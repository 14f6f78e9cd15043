"""Certificate authorities, certificates and keys of a cluster, made with openssl."""

from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.layout import NODE_NAME, Layout

CONFIG = Path(__file__).parent / "config" / "openssl.cnf"
DAYS = "3650"
# Python 3.13 verifies strictly and refuses an authority without these.
AUTHORITY_EXTENSIONS = (
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign",
    "subjectKeyIdentifier=hash",
)


@dataclass(frozen=True)
class Identity:
    """One certificate to sign: whose it is and where it serves."""

    file: str
    common_name: str
    organization: str = ""
    serves: tuple[str, ...] = ()
    authority: str = "ca"
    kubeconfig: bool = False


def build_identities(layout: Layout) -> list[Identity]:
    """Return every certificate of a cluster."""
    profile = layout.profile
    server = (
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc",
        "DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1",
        f"IP:{profile.api_host},IP:{profile.kubernetes_ip}",
    )
    identities = [
        Identity("apiserver", "kube-apiserver", serves=server),
        Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        Identity("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
        Identity("admin", "kubernetes-admin", "system:masters", kubeconfig=True),
        Identity("controller-manager", "system:kube-controller-manager", kubeconfig=True),
        Identity("scheduler", "system:kube-scheduler", kubeconfig=True),
        Identity("storage-provisioner", "storage-provisioner", kubeconfig=True),
    ]
    return identities + (_node_identities(profile.api_host) if profile.has_node else [_kwok()])


def _kwok() -> Identity:
    return Identity("kwok", "kwok", "system:masters", kubeconfig=True)


def _node_identities(address: str) -> list[Identity]:
    metrics = (f"DNS:metrics-server.kube-system.svc,IP:{address}",)
    kubelet = (f"DNS:{NODE_NAME},IP:{address}",)
    return [
        Identity("kubelet", f"system:node:{NODE_NAME}", "system:nodes", kubelet, kubeconfig=True),
        Identity("kube-proxy", "system:kube-proxy", kubeconfig=True),
        Identity("coredns", "coredns", kubeconfig=True),
        Identity("metrics-server", "metrics-server", serves=metrics, kubeconfig=True),
    ]


def build_extensions(identity: Identity) -> list[str]:
    """Return the X.509 extensions of a leaf certificate."""
    usage = "extendedKeyUsage=clientAuth" + (",serverAuth" if identity.serves else "")
    names = [f"subjectAltName={','.join(identity.serves)}"] if identity.serves else []
    return [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        "subjectKeyIdentifier=hash",
        "authorityKeyIdentifier=keyid",
        usage,
        *names,
    ]


def build_request(folder: Path, file: str, subject: str, extensions: list[str]) -> list[str]:
    """Return the openssl command that makes a key and a certificate in one go."""
    added = [part for extension in extensions for part in ("-addext", extension)]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    out = ["-keyout", f"{folder}/{file}.key", "-out", f"{folder}/{file}.crt"]
    return [
        *["openssl", "req", "-config", str(CONFIG), "-x509", "-sha256", "-days", DAYS],
        *key,
        *out,
        *["-subj", subject],
        *added,
    ]


def write_certificates(layout: Layout) -> None:
    """Make all certificates and keys unless they are there already."""
    done = layout.pki / "complete"
    if done.exists():
        return
    layout.pki.mkdir(parents=True, exist_ok=True)
    layout.pki.chmod(0o700)
    for authority in ("ca", "front-proxy-ca"):
        subject = f"/CN=trading-operator-{authority}"
        run(build_request(layout.pki, authority, subject, list(AUTHORITY_EXTENSIONS)))
    for identity in build_identities(layout):
        _sign(layout.pki, identity)
    _write_service_account_key(layout.pki)
    done.touch()


def _sign(folder: Path, identity: Identity) -> None:
    organization = f"/O={identity.organization}" if identity.organization else ""
    subject = f"{organization}/CN={identity.common_name}"
    authority = ["-CA", f"{folder}/{identity.authority}.crt"]
    authority += ["-CAkey", f"{folder}/{identity.authority}.key"]
    run(build_request(folder, identity.file, subject, build_extensions(identity)) + authority)


def _write_service_account_key(folder: Path) -> None:
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    run(["openssl", "genpkey", *curve, "-out", f"{folder}/service-account.key"])
    key = ["-in", f"{folder}/service-account.key", "-pubout"]
    run(["openssl", "pkey", *key, "-out", f"{folder}/service-account.pub"])
