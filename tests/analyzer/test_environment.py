"""Which environment a workload belongs to, by the shipped configuration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.config import EnvironmentConfig
from analyzer.environment import classify, find_label, metric_label
from tests.builders import workload

RULES = EnvironmentConfig()
APP = "app.kubernetes.io/environment"


def told(name: str = "chat", **changes: Any) -> tuple[str, str]:
    sign = classify(workload(name, **changes), RULES)
    return sign.environment, sign.reason


class TestNames:
    @pytest.mark.parametrize(
        ("name", "environment"),
        [
            ("chat-production", "production"),
            ("chat-development", "development"),
            ("chat-dev", "development"),
            ("chat-prod", "production"),
            ("chat-staging", "staging"),
            ("chat-production-7b", "production"),
            ("dev-chat", "development"),
            ("chat", "unknown"),
            ("device-plugin", "unknown"),
            ("reproduction", "unknown"),
            ("chatdev", "unknown"),
            ("product-search", "unknown"),
            ("", "unknown"),
        ],
    )
    def test_the_name_tells(self, name: str, environment: str) -> None:
        assert told(name)[0] == environment

    def test_the_reason_quotes_the_pattern(self) -> None:
        assert told("chat-dev") == ("development", "name chat-dev matches *-dev")

    def test_no_sign_is_unknown_and_says_so(self) -> None:
        assert told() == ("unknown", "no label, namespace or name tells")

    def test_the_namespace_goes_before_the_name(self) -> None:
        assert told("chat-staging", namespace="dev") == (
            "development",
            "namespace dev matches dev",
        )


class TestLabels:
    @pytest.mark.parametrize("key", [APP, "environment"])
    @pytest.mark.parametrize("where", ["labels", "pod_labels", "namespace_labels"])
    def test_a_label_goes_before_namespace_and_name(self, where: str, key: str) -> None:
        found = told("chat-dev", namespace="dev", **{where: {key: "staging"}})
        assert found[0] == "staging"
        assert f"{key}=staging" in found[1]

    def test_a_label_of_metrics_is_the_same_label(self) -> None:
        assert told(pod_labels={"app_kubernetes_io_environment": "dev"})[0] == "development"

    @pytest.mark.parametrize("value", ["prod", "PROD", " Production ", "live", "prd"])
    def test_case_and_blanks_of_a_value_do_not_matter(self, value: str) -> None:
        assert told(labels={"environment": value})[0] == "production"

    @pytest.mark.parametrize("value", ["qa", "", "production2", "dev,prod"])
    def test_a_value_nobody_configured_is_unknown_even_where_the_name_says_dev(
        self, value: str
    ) -> None:
        found = told("chat-dev", labels={"environment": value})
        assert found[0] == "unknown"
        assert "is not a configured value" in found[1]

    def test_the_workloads_label_goes_before_its_pods(self) -> None:
        found = told(labels={"environment": "dev"}, pod_labels={"environment": "staging"})
        assert found == ("development", "label environment=dev")


class TestProductionWins:
    @pytest.mark.parametrize(
        "given_facts",
        [
            {"labels": {"environment": "dev"}, "pod_labels": {"environment": "prod"}},
            {"labels": {APP: "dev", "environment": "production"}},
            {"labels": {"environment": "dev"}, "namespace": "production"},
            {"labels": {"environment": "dev"}, "name": "chat-production"},
            {"labels": {"environment": "dev"}, "namespace_labels": {"environment": "live"}},
            {"labels": {"environment": "qa"}, "name": "chat-prod"},
            {"namespace": "dev", "name": "chat-production"},
            {"namespace": "prod", "name": "chat-dev"},
            {"name": "dev-chat-production"},
        ],
    )
    def test_any_sign_of_production_beats_every_other(self, given_facts: dict[str, Any]) -> None:
        environment, reason = told(**given_facts)
        assert environment == "production"
        assert "which wins over" in reason

    @given(
        st.lists(st.sampled_from(["dev", "staging", "qa", "prod", None]), min_size=5, max_size=5),
        st.sampled_from(["prod", "dev", "x"]),
        st.sampled_from(["chat-production", "chat-dev", "chat"]),
    )
    def test_whatever_else_is_said(
        self, values: list[str | None], namespace: str, name: str
    ) -> None:
        def labels(*found: tuple[str, str | None]) -> dict[str, str]:
            return {key: value for key, value in found if value is not None}

        environment, _ = told(
            name,
            namespace=namespace,
            labels=labels((APP, values[0]), ("environment", values[1])),
            pod_labels=labels((APP, values[2]), ("environment", values[3])),
            namespace_labels=labels(("environment", values[4])),
        )
        says_production = "prod" in values or namespace == "prod" or name == "chat-production"
        assert (environment == "production") is says_production


def test_a_label_is_spelt_in_metrics_as_kube_state_metrics_does() -> None:
    assert metric_label("app.kubernetes.io/environment") == "app_kubernetes_io_environment"


def test_the_kubernetes_spelling_goes_first_and_an_empty_value_is_a_value() -> None:
    labels = {"a.b/c": "", "a_b_c": "metric"}
    assert find_label(labels, "a.b/c") == ""
    assert find_label({"a_b_c": "metric"}, "a.b/c") == "metric"
    assert find_label({}, "a.b/c") is None
