"""The stand-in against what a real API server does.

Every test that takes ``api`` runs on both when TEST_KUBECONFIG names a real server.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fakes.kube import Close, Hang, KubeStandIn, Reply
from tests.fakes.kubeapi.caller import (
    JSON_PATCH,
    KINDS,
    MERGE,
    SERVERS,
    STRATEGIC,
    Caller,
    caller,
)

DEPLOYMENTS = KINDS["Deployment"]
PODS = KINDS["Pod"]
MAPS = KINDS["ConfigMap"]
LIST_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
ONE_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
SOMEBODY = {"Impersonate-User": "somebody", "Impersonate-Group": "system:authenticated"}


@pytest.fixture(params=SERVERS)
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Caller]:
    with caller(request.param, tmp_path) as made:
        if made.standin:
            made.standin.allow(lambda attempt: attempt.user == "admin")
        yield made


def deployment(name: str = "d", replicas: int = 2, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **metadata},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "i"}]},
            },
        },
    }


def names(answer: Any) -> list[str]:
    return [item["metadata"]["name"] for item in answer.body["items"]]


def assert_status(answer: Any, code: int, reason: str) -> None:
    assert answer.status == code, answer
    assert answer.body["kind"] == "Status"
    assert answer.body["apiVersion"] == "v1"
    assert answer.body["status"] == "Failure"
    assert answer.body["reason"] == reason
    assert answer.body["code"] == code
    assert answer.body["message"]


def test_a_new_object_gets_identity_version_generation_and_defaults(api: Caller) -> None:
    manifest = deployment()
    del manifest["spec"]["replicas"]
    made = api.make("Deployment", manifest)
    assert made["metadata"]["namespace"] == api.namespace
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["replicas"] == 1


def test_the_same_name_twice_is_refused(api: Caller) -> None:
    api.make("Deployment", deployment())
    answer = api.call("POST", DEPLOYMENTS, deployment())
    assert_status(answer, 409, "AlreadyExists")
    assert answer.body["details"] == {"name": "d", "group": "apps", "kind": "deployments"}


def test_what_is_not_there_is_a_404_of_the_right_shape(api: Caller) -> None:
    missing = api.call("GET", f"{DEPLOYMENTS}/none")
    assert_status(missing, 404, "NotFound")
    assert missing.body["message"] == 'deployments.apps "none" not found'
    assert_status(api.call("GET", "/apis/apps/v1/namespaces/{ns}/nonsense"), 404, "NotFound")
    assert_status(api.call("POST", "/api/v1/namespaces/none-such/pods", pod("p")), 404, "NotFound")
    group = api.call("GET", "/apis/none.example.com/v1")
    assert (group.status, group.body.strip()) == (404, "404 page not found")


def pod(name: str, node: str = "", labels: dict[str, str] | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "containers": [
            {"name": "main", "image": "i", "resources": {"limits": {"nvidia.com/gpu": "2"}}}
        ]
    }
    if node:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": spec,
    }


def test_a_gpu_limit_becomes_the_request_and_a_request_alone_is_refused(api: Caller) -> None:
    made = api.make("Pod", pod("p"))
    resources = made["spec"]["containers"][0]["resources"]
    assert resources["requests"] == {"nvidia.com/gpu": "2"}
    assert made["status"]["phase"] == "Pending"
    manifest = pod("q")
    manifest["spec"]["containers"][0]["resources"] = {"requests": {"nvidia.com/gpu": "2"}}
    assert_status(api.call("POST", PODS, manifest), 422, "Invalid")


def test_pages_walk_one_snapshot_whatever_is_written_meanwhile(api: Caller) -> None:
    for number in range(5):
        api.make("ConfigMap", {"metadata": {"name": f"m{number}"}})
    page = api.call("GET", MAPS, query={"limit": "2"})
    assert names(page) == ["m0", "m1"]
    assert page.body["metadata"]["remainingItemCount"] == 3
    version = page.body["metadata"]["resourceVersion"]
    api.make("ConfigMap", {"metadata": {"name": "m22"}})
    api.call("DELETE", f"{MAPS}/m3")
    rest = []
    while token := page.body["metadata"].get("continue"):
        page = api.call("GET", MAPS, query={"limit": "2", "continue": token})
        assert page.body["metadata"]["resourceVersion"] == version
        rest += names(page)
    assert rest == ["m2", "m3", "m4"]
    assert "remainingItemCount" not in page.body["metadata"]


def test_an_expired_continue_token_is_a_410_that_offers_an_inconsistent_one(api: Caller) -> None:
    for number in range(3):
        api.make("ConfigMap", {"metadata": {"name": f"m{number}"}})
    said = {"v": "meta.k8s.io/v1", "rv": 1, "start": "m0\0"}
    token = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    answer = api.call("GET", MAPS, query={"limit": "1", "continue": token})
    assert_status(answer, 410, "Expired")
    offered = answer.body["metadata"]["continue"]
    assert api.call("GET", MAPS, query={"limit": "9", "continue": offered}).status == 200


def test_a_nonsense_continue_token_is_a_400(api: Caller) -> None:
    answer = api.call("GET", MAPS, query={"limit": "1", "continue": "nonsense"})
    assert_status(answer, 400, "BadRequest")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=prod", ["a"]),
        ("tier==prod,team=x", ["a"]),
        ("tier!=prod", ["b", "c"]),
        ("tier in (prod, dev)", ["a", "b"]),
        ("tier notin (prod)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier in (prod,dev),!team", ["b"]),
    ],
)
def test_label_selectors(api: Caller, selector: str, expected: list[str]) -> None:
    for name, labels in {"a": {"tier": "prod", "team": "x"}, "b": {"tier": "dev"}, "c": {}}.items():
        api.make("ConfigMap", {"metadata": {"name": name, "labels": labels}})
    answer = api.call("GET", MAPS, query={"labelSelector": selector})
    # A real server may put maps of its own (the cluster's CA) into every namespace.
    assert [name for name in names(answer) if len(name) == 1] == expected


def test_field_selectors(api: Caller) -> None:
    api.make("Pod", pod("p", node="n1") | {"status": {"phase": "Running"}})
    api.make("Pod", pod("q", node="n2"))
    for selector, expected in {
        "spec.nodeName=n1": ["p"],
        "spec.nodeName!=n1": ["q"],
        "status.phase=Running,spec.nodeName=n1": ["p"],
        "status.phase=Pending": ["q"],
        "metadata.name=q": ["q"],
        "metadata.namespace=other": [],
    }.items():
        assert names(api.call("GET", PODS, query={"fieldSelector": selector})) == expected
    unknown = api.call("GET", PODS, query={"fieldSelector": "spec.colour=red"})
    assert_status(unknown, 400, "BadRequest")
    assert_status(api.call("GET", PODS, query={"labelSelector": "a in (b"}), 400, "BadRequest")


def test_metadata_alone_when_asked_for(api: Caller) -> None:
    made = api.make("Deployment", deployment(labels={"a": "b"}))
    answer = api.call("GET", DEPLOYMENTS, headers={"Accept": LIST_METADATA}).body
    assert (answer["kind"], answer["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert answer["metadata"]["resourceVersion"]
    [item] = answer["items"]
    assert set(item) == {"kind", "apiVersion", "metadata"}
    assert item["kind"] == "PartialObjectMetadata"
    assert item["metadata"]["labels"] == {"a": "b"}
    one = api.call("GET", f"{DEPLOYMENTS}/d", headers={"Accept": ONE_METADATA}).body
    assert one["metadata"]["uid"] == made["metadata"]["uid"]
    assert "spec" not in one


def test_items_of_a_typed_list_do_not_repeat_their_kind(api: Caller) -> None:
    api.make("Deployment", deployment())
    answer = api.call("GET", DEPLOYMENTS).body
    assert (answer["kind"], answer["apiVersion"]) == ("DeploymentList", "apps/v1")
    assert not {"kind", "apiVersion"} & set(answer["items"][0])


def test_a_list_over_all_namespaces_includes_ours(api: Caller) -> None:
    api.make("Deployment", deployment())
    answer = api.call("GET", "/apis/apps/v1/deployments")
    assert (api.namespace, "d") in [
        (item["metadata"]["namespace"], item["metadata"]["name"]) for item in answer.body["items"]
    ]


def test_a_stale_version_conflicts_in_replace_patch_and_scale(api: Caller) -> None:
    old = api.make("Deployment", deployment())
    api.patch(f"{DEPLOYMENTS}/d", {"metadata": {"labels": {"x": "1"}}})
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}}
    for answer in (
        api.call("PUT", f"{DEPLOYMENTS}/d", old),
        api.patch(f"{DEPLOYMENTS}/d", {**stale, "spec": {"replicas": 0}}),
        api.patch(f"{DEPLOYMENTS}/d", {**stale, "spec": {"replicas": 0}}, STRATEGIC),
        api.patch(f"{DEPLOYMENTS}/d/scale", {**stale, "spec": {"replicas": 0}}),
        api.call("DELETE", f"{DEPLOYMENTS}/d", {"preconditions": stale["metadata"]}),
    ):
        assert_status(answer, 409, "Conflict")
    assert api.call("GET", f"{DEPLOYMENTS}/d").body["spec"]["replicas"] == 2


def test_the_present_version_passes_and_moves_on(api: Caller) -> None:
    made = api.make("Deployment", deployment())
    version = made["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": 0}}
    answer = api.patch(f"{DEPLOYMENTS}/d", body)
    assert answer.status == 200
    assert answer.body["spec"]["replicas"] == 0
    assert int(answer.body["metadata"]["resourceVersion"]) > int(version)


def test_a_patch_that_changes_nothing_keeps_the_version(api: Caller) -> None:
    made = api.make("Deployment", deployment())
    answer = api.patch(f"{DEPLOYMENTS}/d", {"spec": {"replicas": 2}})
    assert answer.body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_generation_counts_changes_of_the_spec_alone(api: Caller) -> None:
    api.make("Deployment", deployment())
    path = f"{DEPLOYMENTS}/d"
    labelled = api.patch(path, {"metadata": {"labels": {"x": "1"}}}).body
    assert labelled["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"replicas": 3}}).body["metadata"]["generation"] == 2
    api.patch(f"{path}/scale", {"spec": {"replicas": 4}})
    assert api.call("GET", path).body["metadata"]["generation"] == 3
    status = api.patch(f"{path}/status", {"status": {"replicas": 4}}).body
    assert status["metadata"]["generation"] == 3


def test_a_merge_patch_removes_nulls_and_replaces_lists(api: Caller) -> None:
    api.make("Deployment", deployment(annotations={"a": "1", "b": "2"}))
    containers = [{"name": "other", "image": "j"}]
    body = {
        "metadata": {"annotations": {"a": None, "c": "3"}},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    answer = api.patch(f"{DEPLOYMENTS}/d", body, MERGE).body
    assert answer["metadata"]["annotations"] == {"b": "2", "c": "3"}
    assert [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]] == ["other"]


def test_a_strategic_patch_merges_containers_by_name(api: Caller) -> None:
    api.make("Deployment", deployment())
    containers = [{"name": "main", "image": "new"}, {"name": "side", "image": "j"}]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    answer = api.patch(f"{DEPLOYMENTS}/d", body, STRATEGIC).body
    found = {c["name"]: c["image"] for c in answer["spec"]["template"]["spec"]["containers"]}
    assert found == {"main": "new", "side": "j"}
    drop = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    answer = api.patch(f"{DEPLOYMENTS}/d", drop, STRATEGIC).body
    assert [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]] == ["main"]


def test_a_json_patch_applies_all_or_nothing(api: Caller) -> None:
    api.make("Deployment", deployment(annotations={"x.io/a": "1"}))
    path = f"{DEPLOYMENTS}/d"
    good = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 0},
        {"op": "add", "path": "/metadata/annotations/x.io~1b", "value": "2"},
        {"op": "remove", "path": "/metadata/annotations/x.io~1a"},
    ]
    answer = api.patch(path, good, JSON_PATCH)
    assert answer.status == 200
    assert answer.body["metadata"]["annotations"] == {"x.io/b": "2"}
    assert_status(api.patch(path, good, JSON_PATCH), 422, "Invalid")
    removal = [{"op": "remove", "path": "/metadata/annotations/none"}]
    assert_status(api.patch(path, removal, JSON_PATCH), 422, "Invalid")
    assert api.call("GET", path).body["spec"]["replicas"] == 0


def test_patches_that_cannot_be_read_are_refused(api: Caller) -> None:
    api.make("Deployment", deployment())
    path = f"{DEPLOYMENTS}/d"
    assert_status(api.patch(path, b"{bad"), 400, "BadRequest")
    assert_status(api.patch(path, {}, "application/nonsense"), 415, "UnsupportedMediaType")
    assert_status(api.patch(path, {"spec": {"replicas": -1}}), 422, "Invalid")
    assert_status(api.patch(path, {"metadata": {"name": "e"}}), 400, "BadRequest")
    assert_status(api.patch(path, {"metadata": {"uid": "e"}}), 422, "Invalid")


def test_a_request_that_is_cut_off_changes_nothing(api: Caller) -> None:
    api.make("Deployment", deployment())
    path = f"{DEPLOYMENTS}/d"
    url = api.url + path.replace("{ns}", api.namespace)
    asked = requests.Request("PATCH", url, {"Content-Type": MERGE}, data=b'{"spec":{"replicas":9}}')
    prepared = api.session.prepare_request(asked)
    prepared.headers["Content-Length"] = "99"
    with pytest.raises(requests.ReadTimeout):
        api.session.send(prepared, verify=api.session.verify, timeout=0.5)
    # It is cut off now; what a server makes of it takes no longer than this.
    time.sleep(0.2)
    assert api.call("GET", path).body["spec"]["replicas"] == 2


def test_a_dry_run_answers_and_changes_nothing(api: Caller) -> None:
    dry = {"dryRun": "All"}
    assert api.call("POST", DEPLOYMENTS, deployment(), query=dry).status == 201
    assert_status(api.call("GET", f"{DEPLOYMENTS}/d"), 404, "NotFound")
    made = api.make("Deployment", deployment())
    path = f"{DEPLOYMENTS}/d"
    patched = api.patch(path, {"spec": {"replicas": 9}}, query=dry).body
    assert patched["spec"]["replicas"] == 9
    assert patched["metadata"]["generation"] == 2
    assert patched["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    scaled = api.patch(f"{path}/scale", {"spec": {"replicas": 9}}, query=dry)
    assert scaled.body["spec"]["replicas"] == 9
    assert api.call("DELETE", path, query=dry).status == 200
    now = api.call("GET", path).body
    assert now["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert now["spec"]["replicas"] == 2
    assert_status(api.patch(path, {}, query={"dryRun": "yes"}), 422, "Invalid")


def test_scale_reads_and_writes_replicas_and_leaves_a_zero_out(api: Caller) -> None:
    made = api.make("Deployment", deployment())
    path = f"{DEPLOYMENTS}/d/scale"
    scale = api.call("GET", path).body
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"]["selector"] == "app=d"
    assert scale["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    scale["spec"] = {"replicas": 0}
    assert api.call("PUT", path, scale).body["spec"] == {}
    assert api.call("GET", f"{DEPLOYMENTS}/d").body["spec"]["replicas"] == 0
    assert_status(api.patch(path, {"spec": {"replicas": -4}}), 422, "Invalid")


def test_status_and_spec_are_written_apart(api: Caller) -> None:
    api.make("Deployment", deployment() | {"status": {"replicas": 2, "readyReplicas": 1}})
    path = f"{DEPLOYMENTS}/d"
    body = {"spec": {"replicas": 7}, "status": {"readyReplicas": 2}}
    assert api.patch(f"{path}/status", body).body["spec"]["replicas"] == 2
    answer = api.patch(path, {"spec": {"replicas": 5}, "status": {"readyReplicas": 9}}).body
    assert answer["spec"]["replicas"] == 5
    assert answer["status"]["readyReplicas"] == 2


def test_a_node_may_be_created_with_its_status(api: Caller) -> None:
    name = f"node-{api.namespace}"
    status = {
        "allocatable": {"nvidia.com/gpu": "1000"},
        "addresses": [{"type": "InternalIP", "address": "10.0.0.9"}],
    }
    made = api.make("Node", {"metadata": {"name": name}, "status": status})
    assert made["status"]["allocatable"] == {"nvidia.com/gpu": "1k"}
    assert made["status"]["addresses"] == status["addresses"]


def test_delete_ends_in_404_and_finalizers_hold_it_back(api: Caller) -> None:
    made = api.make("Deployment", deployment(finalizers=["x.io/hold"]))
    path = f"{DEPLOYMENTS}/d"
    assert api.call("DELETE", path).body["metadata"]["deletionTimestamp"]
    assert api.call("GET", path).status == 200
    api.patch(path, {"metadata": {"finalizers": None}})
    assert_status(api.call("DELETE", path), 404, "NotFound")
    api.make("Deployment", deployment())
    answer = api.call("DELETE", path).body
    assert answer["status"] == "Success"
    assert answer["details"]["uid"] != made["metadata"]["uid"]
    assert_status(api.call("GET", path), 404, "NotFound")


def test_discovery_and_version(api: Caller) -> None:
    assert api.call("GET", "/api").body["versions"] == ["v1"]
    groups = {one["name"] for one in api.call("GET", "/apis").body["groups"]}
    assert {"apps", "batch", "coordination.k8s.io"} <= groups
    apps = api.call("GET", "/apis/apps").body
    assert apps["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    served = {one["name"]: one for one in api.call("GET", "/apis/apps/v1").body["resources"]}
    assert served["deployments"]["kind"] == "Deployment"
    assert served["deployments"]["namespaced"] is True
    assert served["deployments/scale"]["kind"] == "Scale"
    assert "daemonsets/scale" not in served
    core = {one["name"]: one for one in api.call("GET", "/api/v1").body["resources"]}
    assert core["nodes"]["namespaced"] is False
    assert api.call("GET", "/version").body["gitVersion"].startswith("v1.")


def test_custom_kinds_come_with_their_definition(api: Caller) -> None:
    group = f"{api.namespace}.example.com"
    path = api.define(group, "Rollout", scale=True)
    served = api.call("GET", f"/apis/{group}/v1").body["resources"]
    assert {"rollouts", "rollouts/scale", "rollouts/status"} == {one["name"] for one in served}
    manifest = {"apiVersion": f"{group}/v1", "kind": "Rollout", "metadata": {"name": "r"}}
    made = api.make("", manifest, path)
    assert made["metadata"]["generation"] == 1
    assert api.call("GET", f"{path}/r/scale").status == 500
    assert api.patch(f"{path}/r/scale", {"spec": {"replicas": 2}}).body["spec"] == {"replicas": 2}
    assert api.call("GET", f"{path}/r").body["spec"] == {"replicas": 2}
    strategic = api.patch(f"{path}/r", {"spec": {}}, STRATEGIC)
    assert_status(strategic, 415, "UnsupportedMediaType")
    assert_status(api.call("PUT", f"{path}/r", manifest), 422, "Invalid")
    assert api.call("GET", path).body["items"][0]["kind"] == "Rollout"


def test_an_access_review_says_what_the_rules_say(api: Caller) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "list", "group": "", "resource": "pods"}},
    }
    assert api.call("POST", path, body).body["status"]["allowed"] is True
    answer = api.call("POST", path, body, headers=SOMEBODY)
    assert answer.status == 201
    assert answer.body["status"]["allowed"] is False


def test_what_is_not_allowed_is_a_403_that_says_who_and_what(api: Caller) -> None:
    everywhere = api.call("GET", "/api/v1/pods", headers=SOMEBODY)
    assert_status(everywhere, 403, "Forbidden")
    assert everywhere.body["message"] == (
        'pods is forbidden: User "somebody" cannot list resource "pods" in API group "" at the '
        "cluster scope"
    )
    one = api.call("GET", f"{DEPLOYMENTS}/d", headers=SOMEBODY)
    assert one.body["message"] == (
        'deployments.apps "d" is forbidden: User "somebody" cannot get resource "deployments" in '
        f'API group "apps" in the namespace "{api.namespace}"'
    )
    assert one.body["details"] == {"name": "d", "group": "apps", "kind": "deployments"}


def test_a_wrong_token_is_a_401(api: Caller) -> None:
    headers = {"Authorization": "Bearer wrong"}
    assert_status(api.call("GET", "/api/v1/pods", headers=headers), 401, "Unauthorized")


def watch(api: Caller, path: str, **query: str) -> list[tuple[str, str]]:
    answer = api.session.get(
        api.url + path.replace("{ns}", api.namespace),
        params={"watch": "true", "timeoutSeconds": "1", **query},
        timeout=20,
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [(line["type"], line["object"]["metadata"].get("name", "")) for line in lines]


def test_a_watch_replays_from_a_version_and_follows_a_selector(api: Caller) -> None:
    start = api.call("GET", DEPLOYMENTS).body["metadata"]["resourceVersion"]
    api.make("Deployment", deployment("a"))
    api.patch(f"{DEPLOYMENTS}/a", {"metadata": {"labels": {"x": "1"}}})
    api.patch(f"{DEPLOYMENTS}/a", {"metadata": {"labels": {"x": None}}})
    api.call("DELETE", f"{DEPLOYMENTS}/a")
    everything = watch(api, DEPLOYMENTS, resourceVersion=start)
    assert everything == [("ADDED", "a"), ("MODIFIED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    selected = watch(api, DEPLOYMENTS, resourceVersion=start, labelSelector="x=1")
    assert selected == [("ADDED", "a"), ("DELETED", "a")]


def test_a_watch_without_version_begins_with_what_is_there(api: Caller) -> None:
    api.make("Deployment", deployment("a"))
    assert watch(api, DEPLOYMENTS) == [("ADDED", "a")]


def test_a_watch_sees_what_is_written_while_it_waits(api: Caller) -> None:
    start = api.call("GET", MAPS).body["metadata"]["resourceVersion"]
    seen: list[tuple[str, str]] = []
    thread = threading.Thread(
        target=lambda: seen.extend(watch(api, MAPS, resourceVersion=start, timeoutSeconds="2"))
    )
    thread.start()
    with requests.Session() as session:
        session.trust_env, session.verify = False, api.session.verify
        session.headers.update(api.session.headers)
        Caller(api.url, api.kubeconfig, api.namespace, session).make(
            "ConfigMap", {"metadata": {"name": "late"}}
        )
    thread.join(20)
    assert ("ADDED", "late") in seen


# What only the stand-in can be told to do.


def test_expiring_cuts_pages_and_watches_short(tmp_path: Path) -> None:
    with caller("stand-in", tmp_path) as api:
        assert api.standin
        for number in range(3):
            api.make("ConfigMap", {"metadata": {"name": f"m{number}"}})
        page = api.call("GET", MAPS, query={"limit": "1"}).body["metadata"]
        api.standin.expire()
        query = {"limit": "1", "continue": page["continue"]}
        assert_status(api.call("GET", MAPS, query=query), 410, "Expired")
        assert watch(api, MAPS, resourceVersion=page["resourceVersion"]) == [("ERROR", "")]


def test_faults_are_served_instead_and_requests_are_logged(tmp_path: Path) -> None:
    with caller("stand-in", tmp_path) as api:
        assert api.standin
        faults: list[Any] = [Reply(503, b"busy", {"Retry-After": "1"}, "text/plain"), Close()]
        api.standin.inject(lambda request: faults.pop(0) if faults else None)
        assert api.call("GET", MAPS, query={"limit": "7"}).status == 503
        with pytest.raises(requests.ConnectionError):
            api.call("GET", MAPS)
        assert api.call("GET", MAPS).status == 200
        logged = [one for one in api.standin.requests if one.query.get("limit") == "7"]
        assert [(one.method, one.path) for one in logged] == [
            ("GET", MAPS.replace("{ns}", api.namespace))
        ]


def test_a_hanging_server_stops_at_once_when_the_test_is_over() -> None:
    with KubeStandIn() as standin:
        standin.inject(lambda request: Hang(60))
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{standin.url}/version", timeout=0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 5
