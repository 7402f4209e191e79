"""The configuration is read once, typed, and refused in one line that never holds a secret."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analyzer.config import (
    AnalysisConfig,
    Config,
    Pattern,
    PrometheusConfig,
    Secret,
    format_duration,
    load,
    parse_duration,
    parse_option,
)
from analyzer.config.moments import WeekTime
from analyzer.config.reader import Many, One, keys
from analyzer.errors import ConfigError

SECRET = "hunter2-S3cr3t"
PROMETHEUS = "[[clusters]]\n[clusters.prometheus]\n"
PRICE = "[[pricing.prices]]\nas_of = 2026-09-06\non_demand = 2\n"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes config.toml in the current directory, so that messages start with its bare name."""
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> Path:
        path = Path("config.toml")
        path.write_text(text, encoding="utf-8")
        return path

    return written


def refusal(path: Path | None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    assert caught.value.exit_code == 2
    assert_one_line(str(caught.value))
    return str(caught.value)


def assert_one_line(message: str) -> None:
    assert message.isprintable(), repr(message)
    assert 0 < len(message) < 600


BAD = {
    "analyis = 1": 'analyis: unknown key; did you mean "analysis"?',
    "[analysis]\nwindo = '7d'": '[analysis] windo: unknown key; did you mean "window"? '
    "It takes 1h–90d.",
    "[analysis]\nTime-Zone = 'UTC'": '[analysis] Time-Zone: unknown key; did you mean "timezone"? '
    "It takes IANA time zone.",
    "[clusters.x]\n": "clusters: expected a list of tables, each headed [[clusters]], got a table",
    "[environment]\nzzz = 1": "[environment] zzz: unknown key; accepted here: development, labels, "
    "production, staging",
    '"a\\nb" = 1': '"a\\nb": unknown key; accepted here: analysis, clusters, environment, '
    "jobs, leadership, ledger, metrics, pricing, sizing, slack, sleep, verdict, web",
    "[sleep]\nenvironments = ['production']": "[sleep] environments: expected a list of "
    '"development" or "staging", got "production" as entry 0',
    "[sleep]\nwhen_still_busy = 'wait'": "[sleep] when_still_busy: expected "
    '"stay-awake" or "sleep", got "wait"',
    "[ledger]\nfile = 'a.db'\nurl_env = 'LEDGER_URL'": "[ledger] url_env: set file or this, "
    "not both",
    "analysis = 1": "[analysis]: expected a table, got a number",
    "clusters = []": "clusters: expected at least one entry, got an empty list",
    "clusters = [{}]": "[clusters.0]: the entry is empty; fill it in or remove it",
    "clusters = [1]": "[clusters.0]: expected a table, got a number",
    "[[clusters]]\nname = 'a'\n[[clusters]]\nname = 'a'": '[clusters.1] name: "a" is also the name '
    "of clusters.0; names must be unique",
    "[[clusters]]\nname = ''": "[clusters.0] name: expected a string (letters, digits and "
    '. _ : @ -, at most 100, first a letter or digit), got ""',
    "[[clusters]]\nlabels = {'a b' = 'c'}": "[clusters.0] labels: expected a table of strings "
    '(label = value), got the key "a b"',
    "[[clusters]]\nlabels = {a = 1}": '[clusters.0] labels: "a": expected a string (label = '
    "value), got 1",
    PROMETHEUS + 'timeout = "soon"': "[clusters.0.prometheus] timeout: expected a duration such as "
    '"30s" between 1s and 1h, got "soon"',
    PROMETHEUS + "timeout = '2h'": "[clusters.0.prometheus] timeout: expected a duration such as "
    '"30s" between 1s and 1h, got "2h"',
    PROMETHEUS + "timeout = 30": "[clusters.0.prometheus] timeout: expected a duration such as "
    '"30s" between 1s and 1h, got 30',
    PROMETHEUS + "retries = true": "[clusters.0.prometheus] retries: expected a whole number "
    "between 0 and 10, got true",
    PROMETHEUS + "retries = 3.0": "[clusters.0.prometheus] retries: expected a whole number "
    "between 0 and 10, got 3.0",
    PROMETHEUS + f"retries = 0x{'f' * 9000}": "[clusters.0.prometheus] retries: expected a whole "
    "number between 0 and 10, got a number",
    PROMETHEUS + "concurrency = 0": "[clusters.0.prometheus] concurrency: expected a whole number "
    "between 1 and 16, got 0",
    PROMETHEUS + "verify_tls = 'no'": "[clusters.0.prometheus] verify_tls: expected true or false, "
    'got "no"',
    PROMETHEUS + "url = 'localhost:9090'": "[clusters.0.prometheus] url: expected a URL such as "
    'http://prometheus.monitoring:9090, got "localhost:9090"',
    PROMETHEUS + "url = 'ftp://p'": "[clusters.0.prometheus] url: expected a URL such as "
    'http://prometheus.monitoring:9090, got "ftp://p"',
    PROMETHEUS + "url = 'http://p:port'": "[clusters.0.prometheus] url: expected a URL such as "
    'http://prometheus.monitoring:9090, got "http://p:port"',
    PROMETHEUS + "url = 'http://[::1'": "[clusters.0.prometheus] url: expected a URL such as "
    'http://prometheus.monitoring:9090, got "http://[::1"',
    PROMETHEUS + "url = 'http://p/x?tok=1'": "[clusters.0.prometheus] url: expected a URL without "
    "a query or a fragment, the value is not shown",
    PROMETHEUS + "url = 'http://p/api/v1/'": "[clusters.0.prometheus] url: expected the base URL, "
    'without /api/v1, got "http://p/api/v1/"',
    PROMETHEUS + "client_key_file = 'k.pem'": "[clusters.0.prometheus] client_key_file: needs "
    "client_cert_file",
    PROMETHEUS + "ca_file = 'none.pem'": '[clusters.0.prometheus] ca_file: the file "none.pem" '
    "cannot be read: No such file or directory",
    PROMETHEUS + "ca_file = 'ca.pem'\nverify_tls = false": "[clusters.0.prometheus] ca_file: does "
    "nothing with verify_tls = false; drop one of them",
    PROMETHEUS + "bearer_token_env = 'A'\nusername = 'u'": "[clusters.0.prometheus] username: set "
    "a bearer token or basic auth, not both",
    PROMETHEUS + "bearer_token_env = 'A'\nbearer_token_file = 'b'": "[clusters.0.prometheus] "
    "bearer_token_file: set bearer_token_env or this, not both",
    PROMETHEUS + "username = 'u'": "[clusters.0.prometheus] username: needs password_env or "
    "password_file",
    PROMETHEUS + "password_env = 'A'": "[clusters.0.prometheus] username: missing; a password "
    "needs one",
    PROMETHEUS + "headers = {X-A = 'a', x-a = 'b'}": "[clusters.0.prometheus] headers: the header "
    '"x-a" is set twice; case does not matter',
    PROMETHEUS + 'headers = {X-A = "a\\r\\nB: c"}': '[clusters.0.prometheus] headers: "X-A": '
    "expected a string (HTTP header = value); the value is not shown",
    PROMETHEUS + "bearer_token_env = 'GPU_TOKEN'": "[clusters.0.prometheus] bearer_token_env: the "
    "environment variable GPU_TOKEN is not set",
    PROMETHEUS + "bearer_token_file = './gone'": "[clusters.0.prometheus] bearer_token_file: the "
    'file "./gone" cannot be read: No such file or directory',
    PROMETHEUS + "secret_headers_env = {X-Api-Key = 'GPU_KEY'}": "[clusters.0.prometheus."
    "secret_headers_env] X-Api-Key: the environment variable GPU_KEY is not set",
    "[analysis]\ntimezone = 'Berlin'": "[analysis] timezone: expected an IANA time zone such as "
    '"Europe/Berlin", got "Berlin"; did you mean "Europe/Berlin"?',
    "[analysis]\ntimezone = 'Europe/Berlni'": "[analysis] timezone: expected an IANA time zone "
    'such as "Europe/Berlin", got "Europe/Berlni"; did you mean "Europe/Berlin"?',
    "[analysis]\ntimezone = '../etc/passwd'": "[analysis] timezone: expected an IANA time zone "
    'such as "Europe/Berlin", got "../etc/passwd"',
    "[analysis]\ntimezone = 'America'": "[analysis] timezone: expected an IANA time zone such as "
    '"Europe/Berlin", got "America"',
    "[analysis]\nteam_labels = 'team'": "[analysis] team_labels: expected a list of strings, got "
    '"team"',
    "[analysis]\nteam_labels = ['a', '']": "[analysis] team_labels: expected a list of strings, "
    'got "" as entry 1',
    "[environment.production]\nnames = ['re:(']": '[environment.production] names: "re:(" is not '
    "a valid pattern: missing ), unterminated subpattern at position 0",
    "[environment.production]\nnames = ['re:']": '[environment.production] names: "re:" is not a '
    "valid pattern: empty",
    "[verdict]\nunderused_below = nan": "[verdict] underused_below: expected a number between 0 "
    "and 1, got nan",
    "[verdict]\nwaiting_saturated = inf": "[verdict] waiting_saturated: expected a number between "
    "0 and 10000, got inf",
    "[verdict]\nunderused_below = 50": "[verdict] underused_below: expected a number between 0 and "
    "1, got 50",
    "[verdict]\nunderused_below = false": "[verdict] underused_below: expected a number between 0 "
    "and 1, got false",
    "[verdict]\nidle_below = 0.6": "[verdict] idle_below: expected at most underused_below, got "
    "0.6 and 0.5",
    "[pricing]\nspot_discount = 1": "[pricing] spot_discount: expected a number between 0 and "
    "0.95, got 1",
    PRICE: "[pricing.prices.0] gpu: missing; set at least one of gpu, instance_type, node_labels",
    "[[pricing.prices]]\ngpu = 'T4'\nas_of = 2026-09-06": "[pricing.prices.0] on_demand: missing; "
    "it is required (above 0, at most 1000)",
    "[[pricing.prices]]\non_demand = 0": "[pricing.prices.0] on_demand: expected a number above 0, "
    "at most 1000, got 0",
    "[[pricing.prices]]\nas_of = '2026-02-30'": "[pricing.prices.0] as_of: expected a date such as "
    '2026-09-06, got "2026-02-30"',
    "[[pricing.prices]]\nas_of = 2026-09-06T00:00:00Z": "[pricing.prices.0] as_of: expected a date "
    "such as 2026-09-06, got a date or time",
    PRICE + "gpu = 'T4'\n" + PRICE + "gpu = 't4'": "[pricing.prices.1] gpu: same gpu, "
    "instance_type and node_labels as pricing.prices.0; keep one of them",
    "[analysis]\nwindow = ": "line 2, column 10: not valid TOML: Invalid value",
    "[analysis\n": "line 1, column 10: not valid TOML: Expected ']' at the end of a table "
    "declaration",
    "x = " + "9" * 5000: "not valid TOML: a number is too long",
    "x = " + "[" * 5000: "not valid TOML: nested too deeply",
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=range(len(BAD)))
def test_bad_input_is_refused_in_one_line_that_names_file_table_and_key(
    write: Write, text: str, message: str
) -> None:
    assert refusal(write(text)) == f"config.toml: {message}"


LEAKS = [
    (PROMETHEUS + f"password = '{SECRET}'", "password_env"),
    (PROMETHEUS + f"bearer_token = '{SECRET}'", "bearer_token_env"),
    (PROMETHEUS + f"token = '{SECRET}'", "bearer_token_file"),
    (PROMETHEUS + f"apiKey = '{SECRET}'", "bearer_token_env"),
    (f"[slack]\nbot-token = '{SECRET}'", "_env"),
    (f"[[clusters]]\n[clusters.labels]\npassword = '{SECRET}'", "_env"),
    (f"list = [[{{ api_key = '{SECRET}' }}]]", "_env"),
    (PROMETHEUS + f"url = 'http://me:{SECRET}@prometheus'", "password_env"),
    (PROMETHEUS + f"url = 'http://{SECRET}@prometheus'", "password_env"),
    (PROMETHEUS + f"url = 'http//me:{SECRET}/x@prometheus'", "not shown"),
    (f"[analysis]\nteam_labels = ['https://me:{SECRET}@host']", "_env"),
    (PROMETHEUS + f"headers = {{ Authorization = '{SECRET}' }}", "secret_headers_env"),
    (PROMETHEUS + f"headers = {{ X-Api-Key = '{SECRET}' }}", "secret_headers_env"),
    (PROMETHEUS + f"headers = {{ x-auth-request = '{SECRET}' }}", "secret_headers_env"),
    (PROMETHEUS + f"headers = {{ Set-Cookie = '{SECRET}' }}", "secret_headers_env"),
    (PROMETHEUS + f"headers = {{ X-Custom = 'Bearer {SECRET}' }}", "secret_headers_env"),
    (PROMETHEUS + f"headers = '{SECRET}'", "expected a table"),
    (PROMETHEUS + f"secret_headers_env = {{ X-Api-Key = '{SECRET}' }}", "not shown"),
    (PROMETHEUS + f"bearer_token_env = '{SECRET}'", "not shown"),
    (PROMETHEUS + f"bearer_token_env = '{SECRET.replace('-', '_')}'", "not shown"),
    (PROMETHEUS + f"bearer_token_file = '{SECRET}'", "not shown"),
    (PROMETHEUS + f"password = {SECRET}", "not valid TOML"),
]


@pytest.mark.parametrize(("text", "hint"), LEAKS, ids=range(len(LEAKS)))
def test_a_secret_in_the_file_is_refused_and_not_repeated(
    write: Write, text: str, hint: str
) -> None:
    message = refusal(write(text))
    assert hint in message
    assert "hunter2" not in message


@pytest.mark.parametrize("header", ["X-Scope-OrgID", "X-Forwarded-For", "THANOS-TENANT"])
def test_a_header_that_is_no_secret_is_accepted(write: Write, header: str) -> None:
    config = load(write(PROMETHEUS + f"headers = {{ {header} = 'team-a' }}"), {})
    assert config.clusters[0].prometheus.headers == {header: "team-a"}


def test_secrets_come_from_variables_and_files_and_are_never_printed(write: Write) -> None:
    Path("pw").write_text(f"{SECRET}-file\n")
    path = write(
        PROMETHEUS + "username = 'me'\npassword_file = 'pw'\n"
        "secret_headers_env = { X-Api-Key = 'KEY' }\n"
        "[[clusters]]\nname = 'b'\n[clusters.prometheus]\nbearer_token_env = 'TOKEN'"
    )
    config = load(path, {"KEY": f"{SECRET}-key", "TOKEN": f" {SECRET}-token\n"})
    first, second = (cluster.prometheus for cluster in config.clusters)
    assert first.password
    assert first.password.reveal() == f"{SECRET}-file"
    assert first.secret_headers["X-Api-Key"].reveal() == f"{SECRET}-key"
    assert second.bearer_token
    assert second.bearer_token.reveal() == f"{SECRET}-token"
    for shown in (repr(config), str(config), repr(dataclasses.asdict(config))):
        assert SECRET not in shown
        assert "'***'" in shown


def test_a_secret_is_masked_unchangeable_and_cannot_be_pickled() -> None:
    secret = Secret(SECRET)
    assert (repr(secret), str(secret), f"{secret}") == ("'***'", "***", "***")
    assert copy.deepcopy(secret).reveal() == SECRET
    with pytest.raises(AttributeError):
        secret._read = str  # type: ignore[misc,assignment]
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_token_rotated_in_its_file_is_seen_and_a_lost_one_is_told(write: Write) -> None:
    token = Path("token.txt")
    token.write_text("old")
    config = load(write(PROMETHEUS + "bearer_token_file = 'token.txt'"), {})
    secret = config.clusters[0].prometheus.bearer_token
    assert secret
    token.write_text("new")
    assert secret.reveal() == "new"
    token.unlink()
    with pytest.raises(ConfigError, match=r'_file: the file "token.txt" cannot be read'):
        secret.reveal()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (f"{SECRET}\r\nX: y", "holds characters that a header cannot carry"),
        (f"{SECRET}é", "holds characters that a header cannot carry"),
    ],
)
def test_a_token_that_a_header_cannot_carry_is_refused(
    write: Write, value: str, fault: str
) -> None:
    message = refusal(write(PROMETHEUS + "bearer_token_env = 'TOKEN'"), {"TOKEN": value})
    assert message == (
        "config.toml: [clusters.0.prometheus] bearer_token_env: "
        f"the environment variable TOKEN {fault}"
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            b"\xef\xbb\xbf[analysis]\n",
            "starts with a byte order mark; save it as UTF-8 without one",
        ),
        (b"# ok\n# caf\xe9\n", "line 2: not UTF-8 text; save the file as UTF-8"),
        (b"#" * 1_048_577, "expected a configuration file of at most 1 MiB"),
    ],
    ids=["byte order mark", "latin-1", "large"],
)
def test_bytes_that_are_no_plain_utf_8_are_refused(
    write: Write, content: bytes, fault: str
) -> None:
    path = write("")
    path.write_bytes(content)
    assert refusal(path) == f"config.toml: {fault}"


def test_a_file_that_cannot_be_read_is_told_in_one_line(write: Write, tmp_path: Path) -> None:
    cannot = "cannot read the configuration file"
    assert refusal(Path("no.toml")) == f"no.toml: {cannot}: No such file or directory"
    assert refusal(tmp_path) == f"{tmp_path}: {cannot}: Is a directory"
    assert refusal(Path("a\0b")) == f"a\\x00b: {cannot}: no such file"
    assert refusal(None, {"GPU_THRIFT_CONFIG": "no.toml"}) == (
        f"no.toml (named by GPU_THRIFT_CONFIG): {cannot}: No such file or directory"
    )
    Path("config.toml").symlink_to("gone.toml")
    assert refusal(None) == f"config.toml: {cannot}: No such file or directory"


def test_a_file_without_permission_is_told_in_one_line(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in, because root may read everything."""

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = write("")
    monkeypatch.setattr(Path, "open", denied)
    assert refusal(path) == ("config.toml: cannot read the configuration file: Permission denied")


def test_the_option_comes_before_the_variable_and_that_before_the_usual_file(write: Write) -> None:
    for name, window in (("option", "1d"), ("variable", "2d"), ("config", "3d")):
        Path(f"{name}.toml").write_text(f"[analysis]\nwindow = '{window}'")
    environ = {"GPU_THRIFT_CONFIG": "variable.toml"}
    assert load(Path("option.toml"), environ).analysis.window == timedelta(days=1)
    assert load(None, environ).analysis.window == timedelta(days=2)
    usual = load(None, {"GPU_THRIFT_CONFIG": ""})
    assert (usual.analysis.window, usual.path) == (timedelta(days=3), Path("config.toml"))
    Path("config.toml").unlink()
    assert load(None, {}) == Config()


def test_values_are_typed(write: Write) -> None:
    config = load(
        write(
            "[analysis]\nwindow = '1h30m'\ntimezone = 'Europe/Berlin'\n"
            "[environment.production]\nvalues = ['LIVE']\nnames = ['web-?', 're:p[0-9]+']\n"
            "[verdict]\nunderused_below = 1\nsaturated_above = 1\nitl_p95 = '0s'\n"
            "[[pricing.prices]]\ngpu = 'T4'\non_demand = 1\nas_of = '2026-09-06'\n"
            "[[clusters]]\n[clusters.prometheus]\nurl = 'https://[::1]:9/prefix//'\n"
        ),
        {},
    )
    assert config.analysis.window == timedelta(minutes=90)
    assert datetime(2026, 7, 1, tzinfo=config.analysis.zone).utcoffset() == timedelta(hours=2)
    assert config.environment.production.values == ("live",)
    assert isinstance(config.verdict.underused_below, float)
    assert config.verdict.itl_p95 == timedelta(0)
    assert config.pricing.prices[0].as_of == date(2026, 9, 6)
    assert config.pricing.prices[0].spot is None
    assert config.clusters[0].prometheus.url == "https://[::1]:9/prefix"
    assert config.clusters[0].name == "default"
    assert config.environment.staging == Config().environment.staging


def test_utc_needs_no_zone_files() -> None:
    assert AnalysisConfig().zone is UTC


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*-prod", ["web-prod", "-prod"], ["prod", "web-prod-2", "WEB-PROD"]),
        ("prod", ["prod"], ["prod2", "xprod", "prod\n"]),
        ("re:prod|live", ["prod", "live"], ["prod-live", "alive", "prod\n"]),
        ("re:(?i)prod", ["PROD"], []),
        ("a.c", ["a.c"], ["abc"]),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [text for text in yes + no if Pattern(pattern).matches(text)] == yes
    assert Pattern(pattern) == Pattern(pattern)


@pytest.mark.parametrize(
    ("text", "expected", "short"),
    [
        ("7d", timedelta(days=7), "7d"),
        ("1w", timedelta(days=7), "7d"),
        ("24h", timedelta(days=1), "1d"),
        ("90s", timedelta(seconds=90), "90s"),
        ("200ms", timedelta(milliseconds=200), "200ms"),
        ("1h30m", timedelta(minutes=90), "90m"),
        ("0s", timedelta(0), "0s"),
    ],
)
def test_durations_are_read_and_written(text: str, expected: timedelta, short: str) -> None:
    assert parse_duration(text) == expected
    assert format_duration(expected) == short


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5h", "٣d", "7d ", "9999999999d", "7D"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


def test_a_duration_too_long_for_python_is_refused() -> None:
    with pytest.raises(ValueError, match="not a duration that fits"):
        parse_duration("999999999w")


def test_an_option_is_checked_as_the_key_would_be() -> None:
    assert parse_option(AnalysisConfig, "window", "3d", "--window") == timedelta(days=3)
    assert parse_option(PrometheusConfig, "url", "http://p/", "--prometheus") == "http://p"
    with pytest.raises(ConfigError) as caught:
        parse_option(AnalysisConfig, "window", "1y", "--window")
    assert str(caught.value) == (
        '--window: expected a duration such as "7d" between 1h and 90d, got "1y"'
    )


def test_files_are_relative_to_the_configuration_and_home_is_the_environments(
    tmp_path: Path,
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "ca.pem").write_text("x")
    (tmp_path / "cert.pem").write_text("x")
    path = tmp_path / "etc" / "c.toml"
    path.write_text(PROMETHEUS + "ca_file = 'ca.pem'\nclient_cert_file = '~/cert.pem'")
    prometheus = load(path, {"HOME": str(tmp_path)}).clusters[0].prometheus
    assert prometheus.ca_file == str(tmp_path / "etc" / "ca.pem")
    assert prometheus.client_cert_file == str(tmp_path / "cert.pem")


def test_the_kubeconfig_is_the_named_one_then_the_variables_then_the_usual_one(
    write: Write, tmp_path: Path
) -> None:
    def kubeconfig(text: str, **environ: str) -> str:
        return load(write(text), environ).clusters[0].kubernetes.kubeconfig

    usual = tmp_path / ".kube" / "config"
    named = "[[clusters]]\n[clusters.kubernetes]\nkubeconfig = 'mine'"
    Path("mine").write_text("x")
    assert kubeconfig("", HOME=str(tmp_path)) == ""
    usual.parent.mkdir()
    usual.write_text("x")
    assert kubeconfig("", HOME=str(tmp_path)) == str(usual)
    assert kubeconfig("", HOME=str(tmp_path), KUBECONFIG="a:b") == "a:b"
    assert kubeconfig(named, KUBECONFIG="a:b") == str(tmp_path / "mine")
    Path("mine").unlink()
    assert refusal(write(named)) == (
        'config.toml: [clusters.0.kubernetes] kubeconfig: the file "mine" cannot be read: '
        "No such file or directory"
    )
    assert kubeconfig(named + "\nenabled = false") == "mine"


def test_every_default_is_one_that_the_file_would_accept() -> None:
    """Durations, patterns and lists are given back as they would be written."""

    def as_written(value: object) -> object:
        if isinstance(value, timedelta):
            return format_duration(value)
        if isinstance(value, tuple):
            return [as_written(item) for item in value]
        if isinstance(value, time):
            return f"{value:%H:%M}"
        if isinstance(value, WeekTime):
            return str(value)
        return value.text if isinstance(value, Pattern) else value

    todo: list[Any] = [Config()]
    checked = 0
    while todo:
        section = todo.pop()
        for name, field in keys(type(section)).items():
            kind, value = field.metadata["kind"], getattr(section, name)
            if isinstance(kind, One | Many):
                todo.extend(value if isinstance(value, tuple) else [value])
            else:
                assert kind.parse(as_written(value)) == value, name
                checked += 1
    assert checked > 40


_keys = st.sampled_from(
    [
        "analysis",
        "window",
        "clusters",
        "name",
        "prometheus",
        "url",
        "timeout",
        "retries",
        "headers",
        "secret_headers_env",
        "environment",
        "production",
        "names",
        "verdict",
        "idle_below",
        "pricing",
        "prices",
        "as_of",
        "metrics",
        "password",
    ]
) | st.text(max_size=5)
_values = st.recursive(
    st.booleans().map(lambda value: str(value).lower())
    | st.integers().map(str)
    | st.floats().map(str)
    | st.text(max_size=20).map(lambda text: '"' + text.replace("\\", "").replace('"', "") + '"')
    | st.sampled_from(
        ["2026-09-06", "07:00:00", '"re:(["', '"7d"', '"http://a"', "0xFFFFFFFFFFFF"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(_keys, inner, max_size=3).map(
            lambda table: "{" + ", ".join(f'"{k}" = {v}' for k, v in table.items()) + "}"
        )
    ),
    max_leaves=6,
)
_headings = st.lists(_keys, min_size=1, max_size=3).map(".".join)
_lines = st.one_of(
    st.builds("{} = {}".format, _keys, _values),
    _headings.map("[{}]".format),
    _headings.map("[[{}]]".format),
    st.text(max_size=30),
)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.lists(_lines, max_size=8).map("\n".join).map(str.encode) | st.binary(max_size=60))
@example(content=b"a." * 3000 + b"a = 1")
@example(content=b'"' + b"k" * 100_000 + b'" = 1')
@example(content=b"[analysis]\ntimezone = '" + b"x" * 100_000 + b"'")
@example(content=b"[analysis]\ntimezone = '\\u0000'")
@example(content=b"[metrics]\nexporter_pods = ['re:" + b"(" * 5000 + b"']")
@example(content=b"[metrics]\nexporter_pods = ['re:a{99999999999}']")
@example(content=b"[clusters]\n'a\\u2028b' = 1")
def test_any_file_gives_a_config_or_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    try:
        assert isinstance(load(path, {}), Config)
    except ConfigError as error:
        message = str(error).removeprefix(str(path))
        assert_one_line(message)


def test_the_configuration_imports_no_heavy_library() -> None:
    program = (
        "import sys, analyzer.config; "
        "print({'numpy', 'pandas', 'kubernetes', 'requests', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
