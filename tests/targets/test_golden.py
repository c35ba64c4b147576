"""One example, written for each target: the line as its documentation shows it."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from msgspec.structs import replace

from labels2chat.errors import RecordError
from labels2chat.shards import written
from labels2chat.target import load_target, target_names
from labels2chat.types import Example, Message, Picture

A = Picture(0, "a.jpg", 40, 30, "jpeg", "RGB", 100, file="images/ab/abc.jpg")
B = Picture(1, "b.png", 8, 6, "png", "RGB", 100, file="images/cd/cde.png")
GS, S3 = replace(A, url="gs://b/images/ab/abc.jpg"), replace(A, url="s3://b/images/ab/abc.jpg")
INLINE = replace(A, file=None, data=b"JPEG")


def example(picture: Picture = A, answer: str = "A cat.", **keys: Any) -> Example:
    turns = [
        Message("system", ["Be brief."]),
        Message("user", [picture, "What is it?"]),
        Message("assistant", [answer]),
    ]
    return Example("7", turns, **keys)


def line_of(target: str, given: Example, **options: str) -> Any:
    encode = import_module(f"labels2chat.targets.{load_target(target).shape}").encode
    return json.loads(b"".join(written(encode(given, **options))))


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,SlBFRw=="}},
                text("What is it?"),
            ],
        },
        {"role": "assistant", "content": "A cat."},
    ]
}
MARKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "<image>What is it?"},
    {"role": "assistant", "content": "A cat."},
]
CONVERSATION = [
    {"from": "human", "value": "<image>\nBe brief.\nWhat is it?"},
    {"from": "gpt", "value": "A cat."},
]


def parts(image: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"role": "system", "content": [text("Be brief.")]},
        {"role": "user", "content": [image, text("What is it?")]},
        {"role": "assistant", "content": [text("A cat.")]},
    ]


PREFIX = {"image": "images/ab/abc.jpg", "prefix": "Be brief.\nWhat is it?", "suffix": "A cat."}
GOLDEN: dict[str, tuple[Picture, Any]] = {
    "openai": (INLINE, CHAT),
    "azure": (INLINE, CHAT),
    "together": (
        INLINE,
        {"messages": parts({"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,SlBFRw=="}})},
    ),
    "fireworks": (INLINE, CHAT),
    "vertex": (
        GS,
        {
            "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]},
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"fileData": {"mimeType": "image/jpeg", "fileUri": "gs://b/images/ab/abc.jpg"}},
                        {"text": "What is it?"},
                    ],
                },
                {"role": "model", "parts": [{"text": "A cat."}]},
            ],
        },
    ),
    "bedrock-nova": (
        S3,
        {
            "schemaVersion": "bedrock-conversation-2024",
            "system": [{"text": "Be brief."}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://b/images/ab/abc.jpg"}}}},
                        {"text": "What is it?"},
                    ],
                },
                {"role": "assistant", "content": [{"text": "A cat."}]},
            ],
        },
    ),
    "trl": (A, {"messages": parts({"type": "image"}), "images": ["images/ab/abc.jpg"]}),
    "unsloth": (A, {"messages": parts({"type": "image", "image": "images/ab/abc.jpg"})}),
    "axolotl": (A, {"messages": parts({"type": "image", "path": "images/ab/abc.jpg"})}),
    "llamafactory": (A, {"messages": MARKED, "images": ["images/ab/abc.jpg"]}),
    "ms-swift": (A, {"messages": MARKED, "images": ["images/ab/abc.jpg"]}),
    "llava": (A, {"id": "7", "image": "images/ab/abc.jpg", "conversations": CONVERSATION}),
    "qwen-vl": (A, {"id": "7", "image": "images/ab/abc.jpg", "conversations": CONVERSATION}),
    "internvl": (
        A,
        {"id": "7", "image": "images/ab/abc.jpg", "conversations": CONVERSATION, "width": 40, "height": 30},
    ),
    "paligemma": (A, PREFIX),
    "florence2": (A, PREFIX),
}


@pytest.mark.parametrize("name", target_names())
def test_golden_line(name: str) -> None:
    """A target that is not in the table fails: whoever adds one says what its lines look like."""
    picture, line = GOLDEN[name]
    assert line_of(name, example(picture)) == line


def test_two_images() -> None:
    two = Example("7", [Message("user", [A, B, "Which?"]), Message("assistant", ["the first"])])
    files = ["images/ab/abc.jpg", "images/cd/cde.png"]
    assert line_of("llamafactory", two)["messages"][0]["content"] == "<image><image>Which?"
    assert line_of("qwen-vl", two)["image"] == files
    assert line_of("qwen-vl", two)["conversations"][0]["value"] == "<image>\n<image>\nWhich?"
    line = line_of("internvl", two)
    assert (line["image"], line["width_list"], line["height_list"]) == (files, [40, 8], [30, 6])
    assert line_of("trl", two)["images"] == files
    with pytest.raises(RecordError, match="2 images and 2 turns"):
        line_of("paligemma", two)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "trl",
            {
                "prompt": parts({"type": "image"})[:2],
                "chosen": [{"role": "assistant", "content": [text("A cat.")]}],
                "rejected": [{"role": "assistant", "content": [text("A dog.")]}],
                "images": ["images/ab/abc.jpg"],
            },
        ),
        (
            "llamafactory",
            {
                "messages": MARKED[:2],
                "chosen": {"role": "assistant", "content": "A cat."},
                "rejected": {"role": "assistant", "content": "A dog."},
                "images": ["images/ab/abc.jpg"],
            },
        ),
        ("ms-swift", {"messages": MARKED, "images": ["images/ab/abc.jpg"], "rejected_response": "A dog."}),
    ],
)
def test_preference_pairs(name: str, line: Any) -> None:
    assert line_of(name, example(rejected="A dog.")) == line


def test_the_owner_of_the_bucket() -> None:
    line = line_of("bedrock-nova", example(S3), bucket_owner="123456789012")
    location = line["messages"][0]["content"][0]["image"]["source"]["s3Location"]
    assert location == {"uri": "s3://b/images/ab/abc.jpg", "bucketOwner": "123456789012"}


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("gs://b/a.jpg", "jpeg"),
        ("https://x.y/a.PNG?size=1", "png"),
        ("gs://b/a.jpeg", "jpeg"),
        ("gs://b/c.webp", "webp"),
    ],
)
def test_the_type_of_an_image_that_nobody_looked_at(url: str, form: str) -> None:
    line = line_of("vertex", example(Picture(0, "a", url=url)))
    assert line["contents"][0]["parts"][0]["fileData"] == {"mimeType": f"image/{form}", "fileUri": url}


def test_an_address_that_says_no_type() -> None:
    with pytest.raises(RecordError, match="of what format gs://b/photo"):
        line_of("vertex", example(Picture(0, "a", url="gs://b/photo")))


# boxes apart from the text


@pytest.mark.parametrize(
    ("answer", "written", "boxes"),
    [
        ("[1.0, 2.0, 30.5, 20.0]", "<bbox>", [[1.0, 2.0, 30.5, 20.0]]),
        (
            '[{"bbox_2d":[1,2,30,20],"label":"cat"},{"bbox_2d":[0,0,40,30],"label":"dog"}]',
            '[{"bbox_2d":<bbox>,"label":"cat"},{"bbox_2d":<bbox>,"label":"dog"}]',
            [[1, 2, 30, 20], [0, 0, 40, 30]],
        ),
        ('{"nose":[3.5,4.0]}', '{"nose":<bbox>}', [[3.5, 4.0]]),
        ("[[1,2],[3,4],[5,6]]", "[<bbox>,<bbox>,<bbox>]", [[1, 2], [3, 4], [5, 6]]),
        # what can't be a place in this image stays text
        ("[1, 2, 41, 20]", "[1, 2, 41, 20]", None),
        ("[1, 2, 3]", "[1, 2, 3]", None),
        ("[2024]", "[2024]", None),
        ("(1,2,3,4)", "(1,2,3,4)", None),
        ("none", "none", None),
    ],
)
def test_boxes_apart_from_the_text(answer: str, written: str, boxes: Any) -> None:
    line = line_of("ms-swift", example(answer=answer, coordinates="ms-swift"))
    assert line["messages"][-1]["content"] == written
    assert line.get("objects") == (boxes and {"ref": [], "bbox": boxes})


def test_boxes_in_the_question_and_the_answer() -> None:
    """They are in the order in which their marks come."""
    turns = [Message("user", [A, "What is at [1,1,2,2], and what at [3,3,4,4]?"]), Message("assistant", ["[5,5,6,6]"])]
    line = line_of("ms-swift", Example("7", turns, coordinates="ms-swift"))
    assert line["messages"][0]["content"] == "<image>What is at <bbox>, and what at <bbox>?"
    assert line["objects"]["bbox"] == [[1, 1, 2, 2], [3, 3, 4, 4], [5, 5, 6, 6]]


@pytest.mark.parametrize("coordinates", ["pixel", "qwen3-vl", "norm1000"])
def test_another_convention_stays_in_the_text(coordinates: str) -> None:
    line = line_of("ms-swift", example(answer="[1,2,30,20]", coordinates=coordinates))
    assert line["messages"][-1]["content"] == "[1,2,30,20]"
    assert "objects" not in line


def test_boxes_in_images_of_several_sizes() -> None:
    """The text doesn't say which image a box is in, so it could be scaled to the wrong one."""
    turns = [Message("user", [A, B, "Where?"]), Message("assistant", ["[1,2,3,4]"])]
    with pytest.raises(RecordError, match="several sizes"):
        line_of("ms-swift", Example("7", turns, coordinates="ms-swift"))
    turns[0].content[1] = replace(A, index=1)
    assert line_of("ms-swift", Example("7", turns, coordinates="ms-swift"))["objects"]["bbox"] == [[1, 2, 3, 4]]


def test_a_worse_answer_with_boxes() -> None:
    """Its boxes come after those of the question, as ms-swift reads them; equal texts it would drop."""
    turns = [Message("user", [A, "Where is [1,1,2,2]?"]), Message("assistant", ["cat [5,5,6,6]"])]
    line = line_of("ms-swift", Example("7", turns, rejected="dog [7,7,8,8]", coordinates="ms-swift"))
    assert line["objects"]["bbox"] == [[1, 1, 2, 2], [5, 5, 6, 6]]
    assert (line["rejected_response"], line["rejected_objects"]["bbox"]) == ("dog <bbox>", [[1, 1, 2, 2], [7, 7, 8, 8]])
    with pytest.raises(RecordError, match="boxes only") as caught:
        line_of("ms-swift", Example("7", turns, rejected="cat [7,7,8,8]", coordinates="ms-swift"))
    assert caught.value.code == "example.same_answers"
