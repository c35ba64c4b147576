"""What trainers want beside the lines, and what they read of it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from labels2chat import Annotation, Image, Sample, convert
from labels2chat.validate import validate

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, write_images: Callable[..., list[Path]]) -> Make:
    """`make("trl")` converts six samples in two splits for a target."""
    samples = []
    for number, path in enumerate(write_images(*(f"{n}.png" for n in range(6)), size=(40, 30))):
        boxes = [Annotation("cat", (4, 3, 20, 10))] if number % 3 else []
        image = Image(path.name, path=str(path), width=40, height=30)
        samples.append(Sample(str(number), [image], boxes, split="val" if number > 3 else "train"))

    def convert_for(target: str, at: str = "out", **keys: Any) -> Path:
        out = tmp_path / at
        convert(samples, keys.pop("template", "detect"), out, target, **keys)
        return out

    return convert_for


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def module(path: Path) -> Any:
    """Import a program that was written beside the lines."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("trl", {"load.py"}),
        ("unsloth", {"load.py"}),
        ("axolotl", {"axolotl.yaml"}),
        ("llamafactory", {"dataset_info.json"}),
        ("ms-swift", set()),
        ("llava", {"train.json", "val.json"}),
        ("qwen-vl", {"qwen_data.py"}),
        ("internvl", {"meta.json"}),
        ("paligemma", {"train/annotations.jsonl", "valid/annotations.jsonl"}),
        ("florence2", {"train/annotations.jsonl", "valid/annotations.jsonl"}),
    ],
)
def test_what_there_is(target: str, names: set[str], make: Make) -> None:
    """The manifest lists it, a second run leaves it as it is, and `validate` is content."""
    out = make(target)
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert {row["file"] for row in manifest.get("side_files", ())} == names
    assert all((out / name).is_file() for name in names)
    assert manifest["image_files"]["files"] == 1  # the pictures are all alike
    assert validate([out]).findings == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    make(target)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path != out} == before


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_load_dataset_shows_images(method: str, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    out = make("trl", method=method)
    monkeypatch.chdir(tmp_path)
    loaded = module(out / "load.py").load("train")
    assert loaded.num_rows == (2 if method == "dpo" else 4)  # no pair comes of an image without boxes
    assert [image.size for image in loaded[0]["images"]] == [(40, 30)]
    messages = loaded[1]["prompt" if method == "dpo" else "messages"]
    assert [part["type"] for part in messages[1]["content"]] == ["image", "text"]
    if method == "dpo":
        assert loaded[1]["chosen"] != loaded[1]["rejected"]


def test_the_list_for_unsloth(make: Make) -> None:
    rows = module(make("unsloth") / "load.py").load("val")
    assert len(rows) == 2
    (path,) = (part["image"] for part in rows[0]["messages"][1]["content"] if part["type"] == "image")
    assert Path(path).is_absolute()
    assert Path(path).is_file()


def test_the_keys_for_axolotl(make: Make) -> None:
    content = yaml.safe_load((make("axolotl") / "axolotl.yaml").read_text())
    assert content["remove_unused_columns"] is False
    assert [row["path"] for row in content["datasets"]] == ["train-00000.jsonl"]
    assert [row["path"] for row in content["test_datasets"]] == ["val-00000.jsonl"]


def test_the_description_for_llama_factory(make: Make) -> None:
    out = make("llamafactory", shard_size=3)
    info = json.loads((out / "dataset_info.json").read_bytes())
    assert list(info) == ["train-00000", "train-00001", "val-00000"]
    for name, row in info.items():
        assert row["file_name"] == f"{name}.jsonl"
        assert (row["formatting"], row["columns"]) == ("sharegpt", {"messages": "messages", "images": "images"})
        assert row["tags"]["user_tag"] == "user"
        assert "ranking" not in row
    info = json.loads((make("llamafactory", "pairs", method="dpo") / "dataset_info.json").read_bytes())
    assert info["train-00000"]["ranking"] is True
    assert info["train-00000"]["columns"]["rejected"] == "rejected"


def test_a_description_is_joined_not_replaced(make: Make) -> None:
    """What somebody added stays, even through --overwrite; entries of files that have gone do not."""
    out = make("llamafactory", shard_size=2)
    path = out / "dataset_info.json"
    mine = {"identity": {"file_name": "identity.json"}, "hub": {"hf_hub_url": "me/mine"}}
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **mine}))
    (out / "identity.json").write_text("[]")
    (out / "identity.json").unlink()
    make("llamafactory", shard_size=2)
    assert list(json.loads(path.read_bytes())) == ["train-00000", "train-00001", "val-00000", "hub"]
    make("llamafactory", overwrite=True)
    assert list(json.loads(path.read_bytes())) == ["train-00000", "val-00000", "hub"]


@pytest.mark.parametrize(("target", "name"), [("trl", "load.py"), ("axolotl", "axolotl.yaml")])
def test_what_was_changed_by_hand_stays(target: str, name: str, make: Make) -> None:
    out = make(target)
    (out / name).write_text("mine")
    for _ in range(2):
        make(target)
        assert (out / name).read_text() == "mine"
        assert validate([out]).findings == 0
    (out / name).unlink()
    make(target)
    assert (out / name).read_text() != "mine"


def test_the_list_for_llava(make: Make) -> None:
    out = make("llava", shard_size=3)
    together = lines(out / "train-00000.jsonl") + lines(out / "train-00001.jsonl")
    assert json.loads((out / "train.json").read_bytes()) == together
    assert len(json.loads((out / "val.json").read_bytes())) == 2


def test_the_entries_for_qwen(make: Make) -> None:
    out = make("qwen-vl")
    found = module(out / "qwen_data.py").data_dict
    assert set(found) == {"train_00000", "val_00000"}
    row = lines(Path(found["train_00000"]["annotation_path"]))[0]
    assert (Path(found["train_00000"]["data_path"]) / row["image"]).is_file()


def test_the_meta_file_for_internvl(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    out = make("internvl")
    monkeypatch.chdir(out)
    meta = json.loads((out / "meta.json").read_bytes())
    assert {name: row["length"] for name, row in meta.items()} == {"train-00000": 4, "val-00000": 2}
    for row in meta.values():
        assert (Path(row["root"]) / lines(Path(row["annotation"]))[0]["image"]).is_file()


def test_the_folders_for_maestro(make: Make) -> None:
    """JSONLDataset joins the folder and the image's name, and skips what isn't there with a warning."""
    out = make("paligemma", shard_size=3)
    rows = lines(out / "train" / "annotations.jsonl")
    assert len(rows) == 4
    for row in rows:
        assert set(row) == {"image", "prefix", "suffix"}
        assert (out / "train" / row["image"]).is_file()
    assert "<loc" in rows[1]["suffix"]


@pytest.mark.parametrize("target", ["paligemma", "llamafactory", "trl"])
def test_another_run_takes_the_place(target: str, make: Make) -> None:
    """--overwrite leaves nothing of the earlier run behind."""
    make(target)
    out = make("openai", overwrite=True)
    assert {path.name for path in out.iterdir()} == {
        "train-00000.jsonl",
        "val-00000.jsonl",
        "rejects.jsonl",
        "manifest.json",
    }
