"""Sizes by policy, and what a policy makes of files that would go as they are."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image as Pillow

from labels2chat.errors import RecordError, UsageError
from labels2chat.images import AS_IT_IS, Fit, Header, Policy, fit, measure, prepare, settle
from labels2chat.images.policy import seen
from labels2chat.target import Allowed, Limit, load_target

OPENAI = load_target("openai")
LIMIT = OPENAI.image_bytes.value


def encode(image: Pillow.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def scene(width: int, height: int, mode: str = "RGB", grain: float = 12) -> Pillow.Image:
    """Make something between a photograph and noise: smooth shapes under a grain."""
    soft = Pillow.frombytes("RGB", (8, 6), random.Random(3).randbytes(144)).resize(
        (width, height), Pillow.Resampling.BICUBIC
    )
    rough = Pillow.frombytes("L", (width, height), random.Random(4).randbytes(width * height)).convert("RGB")
    image = Pillow.blend(soft, rough, grain / 100)
    if mode == "RGBA":
        image.putalpha(Pillow.linear_gradient("L").resize((width, height)))
    return image


@pytest.mark.parametrize(
    ("size", "detail", "expected"),
    [
        # billed as two rows of tiles, and as one: https://community.openai.com/t/1281361
        ((2049, 513), "high", (2048, 513)),
        ((2050, 513), "high", (2048, 512)),
        # the examples of OpenAI's own text, and of a bill
        ((1024, 1024), "high", (768, 768)),
        ((2048, 4096), "high", (768, 1536)),
        ((1800, 2400), "high", (768, 1024)),
        ((4000, 1474), "high", (2048, 755)),
        # never up
        ((128, 64), "high", (128, 64)),
        ((768, 2048), "high", (768, 2048)),
        ((512, 300), "low", (512, 300)),
        ((640, 480), "low", (512, 384)),
        ((300, 3000), "low", (51, 512)),
        ((1, 9000), "low", (1, 512)),
    ],
)
def test_what_the_model_sees(size: tuple[int, int], detail: str, expected: tuple[int, int]) -> None:
    assert seen(*size, detail) == expected
    assert Policy(shrink_to_detail=detail).size(*size) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "size", "expected"),
    [
        (Policy(), (640, 427), (640, 427)),
        (Policy(max_side=320), (640, 427), (320, 214)),
        (Policy(max_side=320), (427, 640), (214, 320)),
        (Policy(max_side=640), (640, 427), (640, 427)),
        (Policy(max_pixels=100_000), (640, 427), (387, 258)),
        (Policy(max_pixels=640 * 427), (640, 427), (640, 427)),
        (Policy(max_pixels=100), (5_000, 1), (100, 1)),
        (Policy(scale=0.5), (641, 427), (320, 214)),
        (Policy(scale=0.001), (641, 427), (1, 1)),
        # nearest multiples, as the models' own processors take: 640 x 428 is 644 x 420 to Qwen2.5-VL
        (Policy(multiple_of=28), (640, 428), (644, 420)),
        (Policy(multiple_of=32), (640, 428), (640, 416)),
        (Policy(multiple_of=28), (9, 9), (28, 28)),
        # ... but never above a limit
        (Policy(multiple_of=28, max_side=512), (1024, 768), (504, 392)),
        (Policy(multiple_of=28, max_side=640), (640, 428), (616, 420)),
        (Policy(multiple_of=28, max_pixels=640 * 428), (640, 428), (644, 420)),
        (Policy(multiple_of=28, max_pixels=270_000), (640, 428), (616, 420)),
        (Policy(multiple_of=64, max_pixels=64 * 64), (1, 128), (64, 64)),
        (Policy(multiple_of=28, shrink_to_detail="high"), (1024, 1024), (756, 756)),
        (Policy(multiple_of=32, shrink_to_detail="high"), (1024, 1024), (768, 768)),
        # limits first, then the scale
        (Policy(max_side=400, scale=0.5), (800, 600), (200, 150)),
    ],
)
def test_sizes(policy: Policy, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert policy.size(*size) == expected


@given(
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.none() | st.integers(64, 5_000),
    st.none() | st.integers(4_096, 10**7),
    st.sampled_from([1, 2, 14, 28, 32, 64]),
    st.sampled_from([None, "low", "high"]),
    st.floats(0.01, 1),
)
def test_sizes_keep_to_every_limit(
    width: int, height: int, side: int | None, pixels: int | None, multiple: int, detail: Any, scale: float
) -> None:
    policy = Policy(max_side=side, max_pixels=pixels, multiple_of=multiple, shrink_to_detail=detail, scale=scale)
    w, h = policy.size(width, height)
    assert w % multiple == h % multiple == 0
    assert min(w, h) >= 1
    assert max(w, h) <= (side or 10**9)
    assert w * h <= (pixels or 10**9)
    assert detail is None or seen(w, h, detail) == (w, h)
    assert w <= max(width + multiple / 2, multiple)
    assert h <= max(height + multiple / 2, multiple)


@pytest.mark.parametrize(
    "values",
    [
        {"scale": 0},
        {"scale": 1.5},
        {"max_side": 0},
        {"max_pixels": -1},
        {"max_bytes": 10},
        {"multiple_of": 0},
        {"max_side": 20, "multiple_of": 28},
        {"max_pixels": 700, "multiple_of": 28},
        {"quality": 0},
        {"quality": 101},
        {"alpha": "white"},
        {"alpha": "#fff"},
        {"reencode": "gif"},
        {"shrink_to_detail": "auto"},
    ],
)
def test_values_that_cannot_be(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Policy(**values)


@pytest.mark.parametrize(
    ("policy", "header", "plan"),
    [
        (AS_IT_IS, Header("jpeg", 60, 40), Fit(60, 40, "jpeg", "RGB", True)),
        (Policy(max_side=60), Header("jpeg", 60, 40), Fit(60, 40, "jpeg", "RGB", True)),
        (Policy(strip_metadata=True), Header("jpeg", 60, 40), Fit(60, 40, "jpeg", "RGB", True, strip=True)),
        (Policy(quality=50), Header("jpeg", 60, 40), Fit(60, 40, "jpeg", "RGB", True)),
        (Policy(reencode="jpeg"), Header("jpeg", 60, 40), Fit(60, 40, "jpeg", "RGB", True)),
        (Policy(reencode="lossy"), Header("webp", 60, 40), Fit(60, 40, "webp", "RGB", True)),
        (Policy(alpha="#102030"), Header("png", 60, 40), Fit(60, 40, "png", "RGB", True)),
        (
            Policy(max_side=30),
            Header("jpeg", 60, 40, 6),
            Fit(20, 30, "jpeg", "RGB", False, "jpeg", "EXIF orientation 6, 40 x 60 pixels", 6),
        ),
        (
            Policy(reencode="webp"),
            Header("png", 60, 40, mode="RGBA"),
            Fit(60, 40, "webp", "RGBA", False, "webp", "encoded anew as webp"),
        ),
        (
            Policy(reencode="jpeg", quality=70),
            Header("jpeg", 60, 40),
            Fit(60, 40, "jpeg", "RGB", False, "jpeg", "encoded anew as jpeg", quality=70, unless_heavier=True),
        ),
        (
            Policy(reencode="jpeg"),
            Header("png", 60, 40, mode="RGBA"),
            Fit(60, 40, "jpeg", "RGB", False, "webp", "encoded anew as jpeg"),
        ),
        (
            Policy(alpha="#102030"),
            Header("png", 60, 40, mode="RGBA"),
            Fit(60, 40, "png", "RGB", False, "jpeg", "alpha", ground="#102030"),
        ),
        (
            Policy(alpha="#102030"),
            Header("png", 60, 40, transparent=True),
            Fit(60, 40, "png", "RGB", False, "jpeg", "alpha", ground="#102030"),
        ),
        (
            Policy(max_bytes=4_000),
            Header("png", 60, 40),
            Fit(60, 40, "jpeg", "RGB", False, "jpeg", "5,000 bytes"),
        ),
        (
            Policy(max_bytes=4_000),
            Header("bmp", 60, 40),
            Fit(60, 40, "png", "RGB", False, "jpeg", "format bmp, 5,000 bytes"),
        ),
    ],
)
def test_plans(policy: Policy, header: Header, plan: Fit) -> None:
    assert fit(header, 5_000, OPENAI, policy=policy) == plan


@pytest.mark.parametrize("bits", ["12", "16"])
def test_a_deep_jpeg_is_named_for_what_it_is(bits: str) -> None:
    with pytest.raises(RecordError, match="JPEG of more than 8 bits") as caught:
        fit(Header("jpeg", 60, 40, deep=True), 5_000, OPENAI)
    assert caught.value.code == "image.mode"


def settled(data: bytes, policy: Policy, limit: int) -> tuple[Fit, Pillow.Image, bytes]:
    plan, made = settle(data, fit(measure(data), len(data), OPENAI, policy=policy), limit, policy.multiple_of)
    image = Pillow.open(io.BytesIO(made))
    image.load()
    assert len(made) <= limit
    assert image.size == (plan.width, plan.height)
    assert (image.format or "").lower() == plan.format
    assert image.mode == plan.mode
    return plan, image, made


def test_the_quality_goes_down_before_the_size() -> None:
    photo = encode(scene(640, 480), "JPEG", quality=95)
    limit = len(photo) // 2
    plan, _, made = settled(photo, Policy(max_bytes=limit), limit)
    assert (plan.width, plan.height) == (640, 480)
    assert len(made) > limit // 2, "no lower than it must"
    floor = len(encode(scene(640, 480), "JPEG", quality=40))
    plan, _, made = settled(photo, Policy(max_bytes=floor // 3), floor // 3)
    assert plan.width < 640
    assert len(made) > floor // 3 * 0.6, "no smaller than it must"
    assert plan.width / plan.height == pytest.approx(640 / 480, rel=0.02)


@pytest.mark.parametrize("limit", [1_500, 4_000, 20_000, 60_000])
@pytest.mark.parametrize("multiple", [1, 28])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(scene(300, 200), "JPEG", quality=95), id="JPEG"),
        pytest.param(encode(scene(300, 200), "PNG"), id="PNG"),
        pytest.param(encode(scene(300, 200, "RGBA"), "PNG"), id="PNG with alpha"),
        pytest.param(encode(scene(300, 200, grain=100), "BMP"), id="noise"),
        pytest.param(encode(Pillow.new("RGB", (300, 200), "red"), "BMP"), id="one colour"),
        pytest.param(encode(scene(300, 200).convert("L"), "PNG"), id="grey PNG"),
        pytest.param(encode(scene(3_000, 10), "JPEG", quality=95), id="panorama"),
    ],
)
def test_a_limit_in_bytes_is_kept(data: bytes, limit: int, multiple: int) -> None:
    policy = Policy(max_bytes=limit, multiple_of=multiple)
    plan = fit(measure(data), len(data), OPENAI, policy=policy)
    if plan.as_is:
        assert len(data) <= limit
        return
    plan, _, _ = settled(data, policy, limit)
    assert plan.width % multiple == plan.height % multiple == 0


def test_a_limit_that_no_size_keeps_is_a_reject() -> None:
    profile = b"".join([bytes(16), b"RGB ", random.Random(1).randbytes(5_000)])
    data = encode(scene(60, 40), "JPEG", quality=95, icc_profile=profile)
    with pytest.raises(RecordError) as caught:
        settle(data, fit(measure(data), len(data), OPENAI, policy=Policy(max_bytes=2_000)), 2_000)
    assert caught.value.code == "image.too_large"


def test_png_stays_png_where_it_is_light_enough() -> None:
    drawing = Pillow.new("RGB", (400, 300), "white")
    drawing.paste((200, 30, 30), (50, 50, 200, 200))
    data = encode(drawing, "BMP")
    plan, _, _ = settled(data, Policy(max_bytes=20_000), 20_000)
    assert (plan.format, plan.width) == ("png", 400)


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_encoding_anew_never_makes_a_file_heavier(format: str) -> None:
    low = encode(scene(200, 150), format, quality=30)
    policy = Policy(reencode=format.lower(), quality=95, strip_metadata=True)  # type: ignore[arg-type]
    assert prepare(low, fit(measure(low), len(low), OPENAI, policy=policy), LIMIT) == (low, format.lower())
    high = encode(scene(200, 150), format, quality=99)
    policy = replace(policy, quality=60)
    made, _ = prepare(high, fit(measure(high), len(high), OPENAI, policy=policy), LIMIT)
    assert len(made) < len(high)


def test_the_quality_is_the_first_step() -> None:
    data = encode(scene(200, 150), "PNG")
    sizes = []
    for quality in (95, 80, 60, 20):
        policy = Policy(reencode="jpeg", quality=quality)
        made, _ = prepare(data, fit(measure(data), len(data), OPENAI, policy=policy), LIMIT)
        sizes.append(len(made))
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


@pytest.mark.parametrize(("alpha", "expected"), [("#ff8000", (255, 128, 0)), ("#000000", (0, 0, 0))])
@pytest.mark.parametrize(
    ("mode", "options"), [("RGBA", {}), ("LA", {}), ("P", {"transparency": 0}), ("RGB", {"transparency": (0, 0, 0)})]
)
def test_transparency_goes_onto_the_colour(
    alpha: str, expected: tuple[int, ...], mode: str, options: dict[str, Any]
) -> None:
    clear = Pillow.new(mode, (8, 8), 0)
    if mode == "P":
        clear.putpalette([9, 9, 9])
    data = encode(clear, "PNG", **options)
    plan = fit(measure(data), len(data), OPENAI, policy=Policy(alpha=alpha))
    image = Pillow.open(io.BytesIO(prepare(data, plan, LIMIT)[0]))
    assert image.mode == "RGB"
    assert image.getpixel((4, 4)) == expected


def test_lossy_leaves_what_is_lighter_without_loss() -> None:
    drawing = Pillow.new("RGB", (400, 300), "white")
    drawing.paste((200, 30, 30), (50, 50, 200, 200))
    policy = Policy(reencode="lossy")
    for format, own in (("PNG", True), ("BMP", False)):
        data = encode(drawing, format)
        made, form = prepare(data, fit(measure(data), len(data), OPENAI, policy=policy), LIMIT)
        assert (form, made == data) == ("png", own), format
        data = encode(scene(200, 150), format)
        assert prepare(data, fit(measure(data), len(data), OPENAI, policy=policy), LIMIT)[1] == "jpeg"
    soft = Policy(reencode="lossy", scale=0.5)
    data = encode(drawing, "PNG")
    assert prepare(data, fit(measure(data), len(data), OPENAI, policy=soft), LIMIT)[1] == "png"
    data = encode(scene(200, 150, "RGBA"), "PNG")
    assert prepare(data, fit(measure(data), len(data), OPENAI, policy=soft), LIMIT)[1] == "webp"


UNLIMITED = replace(
    OPENAI, image_bytes=Limit(1 << 62, "guide"), formats=Allowed((*OPENAI.formats.values, "gif", "bmp"), "guide")
)
"""What a trainer takes that states no limits."""


@pytest.mark.parametrize("format", ["BMP", "GIF"])
def test_metadata_leave_what_can_not_be_stripped_by_encoding_anew(format: str) -> None:
    data = encode(scene(60, 40), format)
    assert fit(measure(data), len(data), UNLIMITED).as_is == (format == "BMP"), "a GIF has a palette"
    plan = fit(measure(data), len(data), UNLIMITED, policy=Policy(strip_metadata=True))
    assert not plan.as_is
    assert prepare(data, plan, UNLIMITED.image_bytes.value)[1] == "png"


def test_a_policy_needs_no_limits_of_the_target() -> None:
    data = encode(scene(300, 200), "JPEG", quality=95)
    policy = Policy(max_bytes=4_000, max_side=250)
    plan, made = settle(data, fit(measure(data), len(data), UNLIMITED, policy=policy), 4_000)
    assert len(made) <= 4_000
    assert plan.width <= 250
    assert fit(measure(data), 1 << 40, UNLIMITED).as_is


def test_the_policy_keeps_to_the_targets_formats() -> None:
    jpeg_only = replace(OPENAI, formats=Allowed(("jpeg",), "guide"))
    plan = fit(Header("png", 60, 40, mode="RGBA"), 5_000, jpeg_only, policy=Policy(reencode="lossy"))
    assert (plan.format, plan.mode) == ("jpeg", "RGB")
