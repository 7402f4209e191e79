"""The clusters: where each one's Prometheus and Kubernetes API are, and how to be let in.

Fields without metadata are not keys of the file: ``load`` fills them in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from analyzer.config.kinds import Duration, Flag, Map, Text, Whole
from analyzer.config.reader import One, Problem, Section, about
from analyzer.config.secret import Secret
from analyzer.config.url import Url

_VARIABLE = Text(r"(?:[A-Za-z_][A-Za-z0-9_]*)?", "name of an environment variable", hidden=True)
_SECRET_FILE = Text(range="path", hidden=True)
_FILE = Text(range="path")
# RFC 9110: a field name is a token; a value is visible ASCII with single spaces inside.
_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_HEADER_VALUE = r"[!-~]+(?:[ \t]+[!-~]+)*"


@dataclass(frozen=True, slots=True)
class PrometheusConfig(Section):
    """One Prometheus-compatible server. Paths are absolute once loaded."""

    url: str = field(
        default="http://localhost:9090",
        metadata=about(
            Url(), "Base URL of Prometheus, Thanos, Mimir or VictoriaMetrics, with path prefix."
        ),
    )
    timeout: timedelta = field(
        default=timedelta(seconds=60),
        metadata=about(Duration("1s", "1h", "30s"), "Longest wait for one answer."),
    )
    retries: int = field(
        default=3,
        metadata=about(Whole(0, 10), "How often a request is tried again after it failed."),
    )
    concurrency: int = field(
        default=2, metadata=about(Whole(1, 16), "Requests under way at the same time.")
    )
    chunk: timedelta = field(
        default=timedelta(days=1),
        metadata=about(Duration("1h", "31d", "1d"), "Longest span of one range query."),
    )
    bearer_token_env: str = field(
        default="",
        metadata=about(_VARIABLE, "Environment variable that holds the bearer token."),
    )
    bearer_token_file: str = field(
        default="",
        metadata=about(_SECRET_FILE, "File that holds the bearer token; read again at each use."),
    )
    username: str = field(default="", metadata=about(Text(), "User name for basic auth."))
    password_env: str = field(
        default="",
        metadata=about(_VARIABLE, "Environment variable that holds the password."),
    )
    password_file: str = field(
        default="", metadata=about(_SECRET_FILE, "File that holds the password.")
    )
    headers: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            Map(_HEADER_NAME, _HEADER_VALUE, "HTTP header = value"),
            "Headers added to every request, such as `X-Scope-OrgID`; none that is secret.",
        ),
    )
    secret_headers_env: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            Map(_HEADER_NAME, r"[A-Za-z_][A-Za-z0-9_]*", "HTTP header = environment variable"),
            "Headers whose values are in environment variables.",
        ),
    )
    ca_file: str = field(
        default="",
        metadata=about(_FILE, 'CA certificates to trust, PEM; "" = those of Python\'s bundle.'),
    )
    client_cert_file: str = field(
        default="", metadata=about(_FILE, "Client certificate, PEM; may hold its key as well.")
    )
    client_key_file: str = field(
        default="", metadata=about(_FILE, "Key of the client certificate, PEM.")
    )
    verify_tls: bool = field(
        default=True, metadata=about(Flag(), "Whether the server's certificate is checked.")
    )
    bearer_token: Secret | None = None
    password: Secret | None = None
    secret_headers: Mapping[str, Secret] = field(default_factory=dict)

    def problem(self) -> Problem | None:
        return self._credentials_problem() or self._headers_problem() or self._tls_problem()

    def _credentials_problem(self) -> Problem | None:
        bearer = self.bearer_token_env or self.bearer_token_file
        password = self.password_env or self.password_file
        if self.bearer_token_env and self.bearer_token_file:
            return Problem("bearer_token_file", "set bearer_token_env or this, not both")
        if self.password_env and self.password_file:
            return Problem("password_file", "set password_env or this, not both")
        if bearer and (self.username or password):
            key = "username" if self.username else "password_env or password_file"
            return Problem(key, "set a bearer token or basic auth, not both")
        if self.username and not password:
            return Problem("username", "needs password_env or password_file")
        if password and not self.username:
            return Problem("username", "missing; a password needs one")
        return None

    def _headers_problem(self) -> Problem | None:
        names = [name.lower() for name in (*self.headers, *self.secret_headers_env)]
        twice = sorted(name for name in names if names.count(name) > 1)
        if twice:
            return Problem("headers", f'the header "{twice[0]}" is set twice; case does not matter')
        if "authorization" in names and (self.bearer_token_env or self.bearer_token_file):
            return Problem("secret_headers_env", "set Authorization or a bearer token, not both")
        if "authorization" in names and self.username:
            return Problem("secret_headers_env", "set Authorization or basic auth, not both")
        return None

    def _tls_problem(self) -> Problem | None:
        if self.client_key_file and not self.client_cert_file:
            return Problem("client_key_file", "needs client_cert_file")
        if self.ca_file and not self.verify_tls:
            return Problem("ca_file", "does nothing with verify_tls = false; drop one of them")
        return None


@dataclass(frozen=True, slots=True)
class KubernetesConfig(Section):
    """One Kubernetes API server."""

    enabled: bool = field(
        default=True,
        metadata=about(Flag(), "Whether the Kubernetes API is read; else kube-state-metrics is."),
    )
    kubeconfig: str = field(
        default="",
        metadata=about(
            _FILE,
            'Kubeconfig file; "" = the variable KUBECONFIG, then `~/.kube/config`, then the pod\'s '
            "service account.",
        ),
    )
    context: str = field(
        default="", metadata=about(Text(), 'Context of the kubeconfig; "" = its current one.')
    )
    timeout: timedelta = field(
        default=timedelta(seconds=30),
        metadata=about(Duration("1s", "1h", "30s"), "Longest wait for one answer."),
    )


@dataclass(frozen=True, slots=True)
class ClusterConfig(Section):
    """One cluster."""

    name: str = field(
        default="default",
        metadata=about(
            Text(
                r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}",
                "letters, digits and . _ : @ -, at most 100, first a letter or digit",
            ),
            "What the cluster is called in every report; unique.",
        ),
    )
    labels: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            Map(r"(?!__)[A-Za-z_][A-Za-z0-9_]*", r"[^\x00-\x1f\x7f]+", "label = value"),
            "Label matchers added to every query, for one Prometheus that holds several clusters.",
        ),
    )
    prometheus: PrometheusConfig = field(
        default_factory=PrometheusConfig,
        metadata=about(One(PrometheusConfig), "Its Prometheus."),
    )
    kubernetes: KubernetesConfig = field(
        default_factory=KubernetesConfig,
        metadata=about(One(KubernetesConfig), "Its Kubernetes API."),
    )
