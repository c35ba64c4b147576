"""TRL's SFTTrainer makes two steps on what is written for it, with a tiny model of random weights, on the CPU."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")

CHAT = (
    "{% for message in messages %}{{ message.role }}: {% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}</s>{% endfor %}"
)


def loader(out: Path) -> Any:
    spec = importlib.util.spec_from_file_location("load", out / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load


def words(dataset: Any) -> Iterator[str]:
    for row in dataset:
        for message in row["messages"]:
            yield from (part["text"] for part in message["content"] if part["text"])


def tiny(dataset: Any) -> tuple[Any, Any]:
    """Build a LLaVA of a few thousand weights, and a processor with a vocabulary of the dataset's own words."""
    tokenizers, transformers = import_module("tokenizers"), import_module("transformers")

    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<pad>", "<s>", "</s>", "<image>"]
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=special)
    raw.train_from_iterator(words(dataset), trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    side = {"height": 32, "width": 32}
    processor = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessor(size=side, crop_size=side),
        tokenizer=tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
        image_token="<image>",
    )
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**small, image_size=32, patch_size=16, projection_dim=16),
        text_config=transformers.LlamaConfig(**small, num_key_value_heads=2, vocab_size=len(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )
    return transformers.LlavaForConditionalGeneration(config), processor


def test_two_steps(make: Callable[..., Path], tmp_path: Path) -> None:
    trl = import_module("trl")
    dataset = loader(make("trl"))("train")
    assert dataset[0]["images"][0].size == (64, 48)
    model, processor = tiny(dataset)
    settings = trl.SFTConfig(
        output_dir=str(tmp_path / "run"),
        max_steps=2,
        per_device_train_batch_size=2,
        max_length=None,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
    )
    trainer = trl.SFTTrainer(model=model, args=settings, train_dataset=dataset, processing_class=processor)
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert trainer.state.global_step == 2
    assert len(losses) == 2
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)
