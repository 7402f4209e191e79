"""A recording comes back bit for bit, or is refused in one line."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.collect import recording
from analyzer.errors import BadAnswer, GpuThriftError
from analyzer.model import (
    UNTOLD,
    Cache,
    Node,
    Placed,
    Requirement,
    Snapshot,
    Taint,
    Toleration,
)
from tests.builders import (
    gpu_use,
    key,
    node_class,
    notice,
    pool,
    serving,
    snapshot,
    window,
    workload,
)

SPAN = window(1)
LATER = ("kv_peak", "speaking", "finished", "prompted", "generated")


def full() -> Snapshot:
    odd = np.arange(12, dtype=np.float32) / 3
    holes = np.where(odd > 2, np.nan, odd).astype(np.float32)
    node = node_class(instance_type="p5", pool="a", spot=True, labels=(("k", "v"),))
    return snapshot(
        SPAN,
        workloads=(
            workload("chät\n", labels={"environment": "prod"}, shared=True, annotations={"a": "b"}),
            workload("gone", replicas=None, ready=None, exists=None, gpus_per_replica=None),
        ),
        use=(gpu_use(span=SPAN, allocated=odd, observed=odd, work=odd / 7, node=node),),
        pools=(replace(pool(span=SPAN, present=holes, node=node), nodes=holes),),
        serving=(
            replace(
                serving(span=SPAN, kv_cache=holes, requests=3.0, ttft_p95_s=None),
                **dict.fromkeys(LATER, holes),
                cache=Cache(442_416, 0.9, "auto"),
            ),
        ),
        nodes=(
            Node(
                "main",
                "a100-1",
                node,
                {"cpu": 95.5, "memory": 2.0**40, "pods": 110.0, "nvidia.com/gpu": 8.0},
                8.0,
                {"zone": "a"},
                (Taint("gpu", "yes", "NoExecute"), Taint("spot")),
                schedulable=False,
            ),
            Node("main", "bare", node_class(), {}, 0.0),
        ),
        placed=(
            Placed(
                key("chat"),
                "chat-0",
                "a100-1",
                {"cpu": 0.25, "nvidia.com/gpu": 2.0},
                daemon=True,
                terms=(
                    (Requirement("zone", "In", ("a", "b")), Requirement("spot", "DoesNotExist")),
                    (Requirement("cpus", "Gt", ("8",)),),
                ),
                tolerations=(Toleration(exists=True), Toleration("gpu", "yes", "NoExecute")),
                pinned="a local volume",
            ),
            Placed(key("chat"), "chat-1", "bare", {}),
        ),
        notices=(notice(),),
        failed={"west": "no answer"},
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made.json.gz"
    recording.save(full(), path)
    return path


def changed(path: Path, **changes: Any) -> Path:
    document = json.loads(gzip.decompress(path.read_bytes())) | changes
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    return path


def refused(path: Path) -> str:
    with pytest.raises(BadAnswer) as caught:
        recording.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


class TestRoundTrip:
    @pytest.mark.parametrize("earlier", [True, False])
    def test_pools_may_come_without_their_nodes(self, file: Path, earlier: bool) -> None:
        document = json.loads(gzip.decompress(file.read_bytes()))
        [one] = document["pools"]
        if earlier:
            del one["nodes"]
        else:
            one["nodes"] = None
        [found] = recording.load(changed(file, pools=[one])).pools
        assert found.nodes is None
        np.testing.assert_array_equal(found.present, full().pools[0].present)

    def test_nodes_of_another_length_are_refused(self, file: Path) -> None:
        document = json.loads(gzip.decompress(file.read_bytes()))
        [one] = document["pools"]
        one["nodes"] = base64.b64encode(b"\0" * 8).decode()
        refused(changed(file, pools=[one]))

    def test_facts_come_back_equal(self, file: Path) -> None:
        made, found = full(), recording.load(file)
        names = ("taken_at", "window", "clusters", "workloads", "notices", "failed")
        for name in (*names, "nodes", "placed"):
            assert getattr(found, name) == getattr(made, name)

    def test_arrays_come_back_bit_for_bit(self, file: Path) -> None:
        made, found = full(), recording.load(file)
        groups = {
            "use": ("allocated", "observed", "work"),
            "pools": ("present", "allocated", "nodes"),
            "serving": ("running", "waiting", "waiting_peak", "kv_cache", *LATER),
        }
        for group, names in groups.items():
            (before,), (after,) = getattr(made, group), getattr(found, group)
            for name in names:
                assert getattr(after, name).dtype == np.float32
                assert getattr(after, name).tobytes() == getattr(before, name).tobytes()
        assert found.use[0].node_class == made.use[0].node_class
        assert found.serving[0].requests == 3.0
        assert found.serving[0].cache == Cache(442_416, 0.9, "auto")

    def test_the_same_snapshot_gives_the_same_bytes(self, file: Path, tmp_path: Path) -> None:
        recording.save(recording.load(file), tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == file.read_bytes()

    def test_what_earlier_versions_did_not_write_is_not_known(self, file: Path) -> None:
        document = json.loads(gzip.decompress(file.read_bytes()))
        for name in ("nodes", "placed"):
            del document[name]
        for name in (*LATER, "cache"):
            del document["serving"][0][name]
        del document["workloads"][0]["server"]
        file.write_bytes(gzip.compress(json.dumps(document).encode()))
        found = recording.load(file)
        assert (found.nodes, found.placed, found.serving[0].cache) == ((), (), UNTOLD)
        assert [getattr(found.serving[0], name) for name in LATER] == [None] * 5
        assert found.workloads[0].server == {}

    def test_an_empty_snapshot_comes_back(self, tmp_path: Path) -> None:
        recording.save(snapshot(SPAN), tmp_path / "empty")
        assert recording.load(tmp_path / "empty").workloads == ()


class TestWriting:
    def test_no_draft_is_left_behind(self, file: Path) -> None:
        assert [path.name for path in file.parent.iterdir()] == [file.name]

    def test_a_folder_that_is_not_there_is_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(GpuThriftError, match="cannot write the recording: No such file"):
            recording.save(snapshot(SPAN), tmp_path / "none" / "file")


class TestRefused:
    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        assert "No such file" in refused(tmp_path / "none")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "directory" in refused(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"{}", b"\x1f", b"PK\x03\x04 something else"])
    def test_a_foreign_file(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "f").write_bytes(content)
        refused(tmp_path / "f")

    @pytest.mark.parametrize("text", [b"not json", b"[]", b"{}", b'"x"', b'{"format": "other"}'])
    def test_gzip_with_something_else_inside(self, tmp_path: Path, text: bytes) -> None:
        (tmp_path / "f").write_bytes(gzip.compress(text))
        assert "not a recording" in refused(tmp_path / "f")

    def test_a_file_cut_short_anywhere(self, file: Path) -> None:
        whole = file.read_bytes()
        for length in range(0, len(whole), 37):
            file.write_bytes(whole[:length])
            refused(file)

    def test_a_flipped_byte_anywhere_is_refused_or_harmless(self, file: Path) -> None:
        whole = file.read_bytes()
        for at in range(0, len(whole), 29):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
            # Any other error would end the test.
            with contextlib.suppress(BadAnswer):
                recording.load(file)

    def test_another_schema_names_both(self, file: Path) -> None:
        assert "recording of schema 2, this version reads 1" in refused(changed(file, schema=2))

    @pytest.mark.parametrize(
        "changes",
        [
            {"window": None},
            {"window": ["2026-11-22T23:00:00", "2026-11-23T00:00:00"]},
            {"window": ["x", "y"]},
            {"taken_at": 5},
            {"clusters": [1]},
            {"workloads": [{}]},
            {"workloads": 7},
            {"workloads": [{"key": {"cluster": "a"}}]},
            {"use": [{}]},
            {"pools": [None]},
            {"serving": [{"running": 1}]},
            {"notices": [{"unheard": "of"}]},
            {"failed": 3},
            {"nodes": None},
            {"nodes": [{"name": "a"}]},
            {"placed": 1},
            {"placed": [{}]},
        ],
    )
    def test_a_field_of_another_kind(self, file: Path, changes: dict[str, Any]) -> None:
        assert "damaged recording" in refused(changed(file, **changes))

    @pytest.mark.parametrize(
        ("group", "name", "value"),
        [
            ("nodes", "name", 5),
            ("nodes", "gpus", None),
            ("nodes", "gpus", True),
            ("nodes", "gpus", "8"),
            ("nodes", "allocatable", {"cpu": "8"}),
            ("nodes", "allocatable", {"cpu": None}),
            ("nodes", "allocatable", [8]),
            ("nodes", "schedulable", 1),
            ("nodes", "taints", [{"unheard": "of"}]),
            ("nodes", "taints", [{"key": 1}]),
            ("nodes", "node_class", {}),
            ("placed", "workload", {"name": "a"}),
            ("placed", "daemon", "no"),
            ("placed", "requests", {"cpu": False}),
            ("placed", "terms", [{"key": "a"}]),
            ("placed", "terms", [[{"key": "a", "operator": "In", "values": "ab"}]]),
            ("placed", "terms", [[{"key": "a", "operator": "In", "values": [1]}]]),
            ("placed", "tolerations", [{"key": "a"}]),
            ("placed", "tolerations", [{"key": "a", "exists": "yes"}]),
            ("placed", "pinned", None),
            ("serving", "speaking", 4),
            ("serving", "finished", "AAAA"),
            ("serving", "cache", None),
            ("serving", "cache", {"tokens": "many"}),
            ("serving", "cache", {"data_type": 8}),
            ("workloads", "server", {"tensor-parallel-size": 2}),
        ],
    )
    def test_a_value_of_another_kind(self, file: Path, group: str, name: str, value: Any) -> None:
        document = json.loads(gzip.decompress(file.read_bytes()))
        document[group][0][name] = value
        assert "damaged recording" in refused(changed(file, **{group: document[group]}))

    @pytest.mark.parametrize(
        "text", ["", "AAAA", "!!!!", base64.b64encode(bytes(44)).decode(), "AAA"]
    )
    def test_an_array_of_another_length(self, file: Path, text: str) -> None:
        document = json.loads(gzip.decompress(file.read_bytes()))
        document["use"][0]["work"] = text
        refused(changed(file, use=document["use"]))

    def test_a_file_that_unpacks_without_end(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recording, "_LARGEST_BYTES", 1000)
        assert "larger than any recording" in refused(file)
