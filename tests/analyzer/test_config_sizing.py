"""What ``[sizing]`` accepts, and the models it names files for."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.config import Config, load
from analyzer.errors import ConfigError
from jobs.wiring import sizing_settings

MODEL = '[[sizing.models]]\nname = "chat-7b"\nconfig = "models/chat.json"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty, and the current one, so that messages start with the file's bare name."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str) -> Config:
    path = Path("config.toml")
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        sizing_settings(read(text))
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert message.isprintable()
    return message


def put(folder: Path, text: str) -> None:
    path = folder / "models" / "chat.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_models_file_is_relative_to_the_configuration(folder: Path) -> None:
    put(folder, '{"model_type": "llama"}')
    [model] = read(MODEL).sizing.models
    assert model.document == {"model_type": "llama"}
    described = sizing_settings(read(MODEL)).described
    assert described["chat-7b"].document == {"model_type": "llama"}
    assert described["chat-7b"].weights == "auto"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is not JSON; expected a model's config.json"),
        ("[1, 2]", "holds no JSON object"),
        ("[" * 10_000, "is not JSON"),
    ],
)
def test_a_file_that_is_no_model_is_named(folder: Path, text: str | None, expected: str) -> None:
    if text is not None:
        put(folder, text)
    message = refusal(MODEL)
    assert message.startswith('config.toml: [sizing.models.0] config: the file "models/chat.json"')
    assert expected in message


def test_two_descriptions_of_one_model_contradict(folder: Path) -> None:
    put(folder, "{}")
    assert '"chat-7b" is described twice' in refusal(MODEL + MODEL)


def test_the_target_contradicts_itself(folder: Path) -> None:
    message = refusal("[sizing.replicas]\nkv_p95 = 0.95\n")
    assert "kv_p95: expected at most saturated_at, got 0.95 and 0.9" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('rules = ["reduce"]', "rules"),
        ('[sizing.use_spot]\nenvironments = ["production"]', "environments"),
        ('[sizing.sleep_overnight]\nenvironments = ["production"]', "environments"),
        ("[sizing.replicas]\ncertainty = 1", "certainty"),
        ("[sizing.replicas]\nat_least = 0", "at_least"),
        ("[sizing.replicas]\nkv_p95 = nan", "kv_p95"),
    ],
)
def test_what_no_rule_could_use(folder: Path, text: str, expected: str) -> None:
    message = refusal(text if text.startswith("[") else f"[sizing]\n{text}")
    assert expected in message


def test_a_gpu_that_nobody_knows_is_named_with_those_that_are(folder: Path) -> None:
    message = refusal('[sizing.smaller_gpu]\ngpus = ["L4", "Z99"]\n')
    assert 'no such GPU in the catalogue: "Z99"; known: T4, L4,' in message


def test_only_a_schedule_that_is_carried_out_makes_advice_on_nights_needless(folder: Path) -> None:
    assert sizing_settings(read("[sleep]\nenabled = true\n")).asleep == frozenset()
    on = sizing_settings(read("[sleep]\nenabled = true\ndry_run = false\n"))
    assert on.asleep == {"development"}
