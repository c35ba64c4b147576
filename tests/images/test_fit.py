"""What goes as it is, what a repair makes of the rest, and that the result is never above the limit."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image as Pillow

from labels2chat.errors import RecordError
from labels2chat.images import Fit, Header, fit, measure, prepare
from labels2chat.target import Allowed, Limit, Target, load_target

OPENAI = load_target("openai")
TEN_MB = 10_000_000
SMALL = 5_000


def limited(size: int, target: Target = OPENAI) -> Target:
    return replace(target, image_bytes=Limit(size, "guide"))


def only(*formats: str) -> Target:
    return replace(OPENAI, formats=Allowed(formats, "guide"))


def encode(image: Pillow.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(mode: str, size: tuple[int, int]) -> Pillow.Image:
    """Make the picture that compresses worst."""
    return Pillow.frombytes(mode, size, random.Random(7).randbytes(size[0] * size[1] * len(mode)))


@pytest.mark.parametrize(
    ("header", "size"),
    [
        pytest.param(Header("jpeg", 60, 40), SMALL, id="JPEG"),
        pytest.param(Header("png", 60, 40), SMALL, id="PNG"),
        pytest.param(Header("png", 60, 40, mode="RGBA"), SMALL, id="PNG with alpha"),
        pytest.param(Header("png", 60, 40, transparent=True), SMALL, id="PNG with a transparent colour, still RGB"),
        pytest.param(Header("webp", 60, 40), SMALL, id="WEBP"),
        pytest.param(Header("webp", 60, 40, mode="RGBA"), SMALL, id="WEBP with alpha"),
        pytest.param(Header("jpeg", 1, 1), SMALL, id="1x1"),
        pytest.param(Header("jpeg", 65_535, 1_000), SMALL, id="wider than an encoder could write"),
        pytest.param(Header("jpeg", 6_000, 4_000), TEN_MB, id="as many bytes as the target takes"),
    ],
)
def test_what_the_target_takes_goes_as_it_is(header: Header, size: int) -> None:
    assert fit(header, size, OPENAI) == Fit(header.width, header.height, header.format, header.mode, as_is=True)


@pytest.mark.parametrize(
    ("header", "plan"),
    [
        # turned: the size of the upright image, in the file's own format
        (Header("jpeg", 60, 40, 2), Fit(60, 40, "jpeg", "RGB", False, "jpeg", "EXIF orientation 2", 2)),
        (Header("jpeg", 60, 40, 4), Fit(60, 40, "jpeg", "RGB", False, "jpeg", "EXIF orientation 4", 4)),
        (Header("jpeg", 60, 40, 5), Fit(40, 60, "jpeg", "RGB", False, "jpeg", "EXIF orientation 5", 5)),
        (Header("jpeg", 60, 40, 8), Fit(40, 60, "jpeg", "RGB", False, "jpeg", "EXIF orientation 8", 8)),
        (Header("png", 60, 40, 6), Fit(40, 60, "png", "RGB", False, "jpeg", "EXIF orientation 6", 6)),
        (Header("png", 60, 40, 6, "RGBA"), Fit(40, 60, "png", "RGBA", False, "webp", "EXIF orientation 6", 6)),
        (Header("webp", 60, 40, 6), Fit(40, 60, "webp", "RGB", False, "jpeg", "EXIF orientation 6", 6)),
        # other modes: to RGB, or to RGBA where there is transparency
        (Header("jpeg", 60, 40, mode="L"), Fit(60, 40, "jpeg", "RGB", False, "jpeg", "mode L")),
        (Header("jpeg", 60, 40, mode="CMYK"), Fit(60, 40, "jpeg", "RGB", False, "jpeg", "mode CMYK")),
        (Header("png", 60, 40, mode="1"), Fit(60, 40, "png", "RGB", False, "jpeg", "mode 1")),
        (Header("png", 60, 40, mode="L"), Fit(60, 40, "png", "RGB", False, "jpeg", "mode L")),
        (Header("png", 60, 40, mode="P"), Fit(60, 40, "png", "RGB", False, "jpeg", "mode P")),
        (Header("png", 60, 40, mode="P", transparent=True), Fit(60, 40, "png", "RGBA", False, "webp", "mode P")),
        (Header("png", 60, 40, mode="LA"), Fit(60, 40, "png", "RGBA", False, "webp", "mode LA")),
        (Header("png", 60, 40, deep=True), Fit(60, 40, "png", "RGB", False, "jpeg", "more than 8 bits per channel")),
        # moving pictures: their first frame
        (Header("png", 60, 40, animated=True), Fit(60, 40, "png", "RGB", False, "jpeg", "animated")),
        (Header("webp", 60, 40, animated=True), Fit(60, 40, "webp", "RGB", False, "jpeg", "animated")),
        # other formats: to PNG, which loses nothing; all reasons are told
        (Header("bmp", 60, 40), Fit(60, 40, "png", "RGB", False, "jpeg", "format bmp")),
        (Header("gif", 60, 40, mode="P"), Fit(60, 40, "png", "RGB", False, "jpeg", "format gif, mode P")),
        (
            Header("tiff", 60, 40, 7, "I;16", animated=True, deep=True),
            Fit(
                40,
                60,
                "png",
                "RGB",
                False,
                "jpeg",
                "EXIF orientation 7, format tiff, mode I;16, more than 8 bits per channel, animated",
                7,
            ),
        ),
    ],
    ids=lambda value: value.why if isinstance(value, Fit) else f"{value.format} {value.mode}",
)
def test_what_it_does_not_take_is_repaired_at_its_own_size(header: Header, plan: Fit) -> None:
    assert fit(header, SMALL, OPENAI) == plan


@pytest.mark.parametrize(
    ("header", "target", "format", "mode"),
    [
        pytest.param(Header("png", 60, 40), only("jpeg"), "jpeg", "RGB", id="PNG to a target of JPEG alone"),
        pytest.param(Header("png", 60, 40, mode="RGBA"), only("jpeg"), "jpeg", "RGB", id="alpha to JPEG: onto white"),
        pytest.param(Header("webp", 60, 40), only("jpeg", "png"), "png", "RGB", id="WEBP where there is none"),
        pytest.param(Header("png", 60, 40, mode="LA"), only("jpeg", "webp"), "webp", "RGBA", id="alpha without PNG"),
    ],
)
def test_a_repair_keeps_to_the_targets_formats(header: Header, target: Target, format: str, mode: str) -> None:
    plan = fit(header, SMALL, target)
    assert (plan.format, plan.mode, plan.as_is) == (format, mode, False)


@pytest.mark.parametrize("mode", ["F", "LAB", "HSV"])
def test_a_mode_without_one_meaning_as_colours_is_refused(mode: str) -> None:
    with pytest.raises(RecordError) as caught:
        fit(Header("tiff", 60, 40, mode=mode), SMALL, OPENAI)
    assert caught.value.code == "image.mode"


@pytest.mark.parametrize(
    ("header", "size", "plan"),
    [
        pytest.param(
            Header("jpeg", 4_000, 3_000),
            TEN_MB + 1,
            Fit(4_000, 3_000, "jpeg", "RGB", False, "jpeg", "10,000,001 bytes"),
            id="12 megapixels: a lower quality is enough",
        ),
        pytest.param(
            Header("jpeg", 10_000, 8_000),
            30_000_000,
            Fit(4_767, 3_813, "jpeg", "RGB", False, "jpeg", "30,000,000 bytes"),
            id="80 megapixels: shrunk to 18",
        ),
        pytest.param(
            Header("png", 4_000, 3_000, mode="RGBA"),
            20_000_000,
            Fit(2_886, 2_165, "webp", "RGBA", False, "webp", "20,000,000 bytes"),
            id="with alpha: shrunk to 6",
        ),
        pytest.param(
            Header("jpeg", 10_000, 8_000, 6),
            30_000_000,
            Fit(3_813, 4_767, "jpeg", "RGB", False, "jpeg", "EXIF orientation 6, 30,000,000 bytes", 6),
            id="turned and shrunk",
        ),
        pytest.param(
            Header("png", 66_000, 300),
            TEN_MB + 1,
            Fit(63_245, 287, "jpeg", "RGB", False, "jpeg", "10,000,001 bytes"),
            id="a panorama",
        ),
        pytest.param(
            Header("png", 66_000, 100),
            TEN_MB + 1,
            Fit(65_500, 99, "jpeg", "RGB", False, "jpeg", "10,000,001 bytes"),
            id="no side above what JPEG can hold",
        ),
        pytest.param(
            Header("png", 20_000, 100, mode="RGBA"),
            TEN_MB + 1,
            Fit(16_383, 81, "webp", "RGBA", False, "webp", "10,000,001 bytes"),
            id="no side above what WEBP can hold",
        ),
        pytest.param(
            Header("png", 89_000_000, 1),
            TEN_MB + 1,
            Fit(65_500, 1, "jpeg", "RGB", False, "jpeg", "10,000,001 bytes"),
            id="no side below 1",
        ),
    ],
)
def test_files_over_the_limit_shrink_until_they_must_fit(header: Header, size: int, plan: Fit) -> None:
    assert fit(header, size, OPENAI) == plan


@given(
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.integers(1, 8),
    st.sampled_from(["RGB", "RGBA", "L", "P"]),
    st.sampled_from(["jpeg", "png", "webp", "bmp"]),
    st.integers(1, 40_000_000),
    st.integers(1_000, TEN_MB),
)
def test_a_plan_never_grows_an_image_nor_bends_it(
    width: int, height: int, orientation: int, mode: str, format: str, size: int, limit: int
) -> None:
    header = Header(format, width, height, orientation, mode)
    plan = fit(header, size, limited(limit))
    across, down = header.upright
    assert 1 <= plan.width <= across
    assert 1 <= plan.height <= down
    if size <= limit and plan.format != "webp":
        assert (plan.width, plan.height) == (across, down)
    (short, planned), (longer, most) = sorted([(across, plan.width), (down, plan.height)])
    assert max(1, short * most / longer - 2) <= planned <= max(1, short * (most + 1) / longer)
    assert plan.orientation == (1 if plan.as_is else orientation)


@pytest.mark.parametrize(
    ("mode", "size", "format", "options"),
    [
        pytest.param("RGB", (200, 150), "JPEG", {"quality": 98}, id="JPEG"),
        pytest.param("RGB", (200, 150), "PNG", {}, id="PNG"),
        pytest.param("RGB", (200, 150), "WEBP", {"lossless": True}, id="WEBP"),
        pytest.param("RGB", (200, 150), "BMP", {}, id="BMP"),
        pytest.param("RGBA", (200, 150), "PNG", {}, id="PNG with alpha"),
        pytest.param("RGBA", (200, 150), "WEBP", {"lossless": True}, id="WEBP with alpha"),
        pytest.param("RGBA", (200, 150), "TIFF", {}, id="TIFF with alpha"),
        pytest.param("L", (200, 150), "PNG", {}, id="grey PNG, three times as heavy in RGB"),
        pytest.param("CMYK", (200, 150), "JPEG", {"quality": 98}, id="CMYK JPEG"),
        pytest.param("RGB", (3_000, 10), "PNG", {}, id="wide and low"),
        pytest.param("RGBA", (10, 3_000), "PNG", {}, id="narrow and high"),
    ],
)
@pytest.mark.parametrize("limit", [3_000, 20_000, 60_000])
def test_pure_noise_ends_up_below_the_limit(
    mode: str, size: tuple[int, int], format: str, options: dict[str, object], limit: int
) -> None:
    data, target = encode(noise(mode, size), format, **options), limited(limit)
    plan = fit(measure(data), len(data), target)
    made, kind = prepare(data, plan, limit)
    assert len(made) <= limit
    delivered = measure(made)
    assert (delivered.width, delivered.height) == (plan.width, plan.height)
    assert delivered.format == kind
    assert kind in target.formats
    assert delivered.mode == ("RGBA" if mode == "RGBA" else "RGB")
    assert fit(delivered, len(made), target).as_is


@pytest.mark.parametrize(
    ("mode", "size", "limit", "format"),
    [
        pytest.param("RGBA", (17_000, 10), 650_000, "webp", id="RGBA, wider than WEBP holds"),
        pytest.param("RGB", (66_000, 4), 750_000, "jpeg", id="RGB, wider than JPEG holds"),
    ],
)
def test_panoramas_over_the_limit_are_cut_down_to_what_the_encoder_holds(
    mode: str, size: tuple[int, int], limit: int, format: str
) -> None:
    data = encode(noise(mode, size), "PNG")
    assert len(data) > limit
    plan = fit(measure(data), len(data), limited(limit))
    made, kind = prepare(data, plan, limit)
    delivered = measure(made)
    assert kind == format
    assert (delivered.width, delivered.height) == (plan.width, plan.height)
    assert len(made) <= limit


def test_a_panorama_that_only_png_could_hold_is_refused() -> None:
    """Its palette file is below the limit, its RGB pixels are not, and the way out is closed: JPEG is not that wide."""
    data, target = encode(noise("L", (66_000, 4)), "PNG"), limited(400_000)
    plan = fit(measure(data), len(data), target)
    assert (plan.format, plan.width) == ("png", 66_000)
    with pytest.raises(RecordError) as caught:
        prepare(data, plan, 200_000)
    assert caught.value.code == "image.too_large"
    assert "66000 x 4" in str(caught.value)


def test_what_no_quality_brings_below_the_limit_is_refused() -> None:
    data = encode(noise("RGB", (200, 150)), "BMP")
    with pytest.raises(RecordError) as caught:
        prepare(data, fit(measure(data), SMALL, OPENAI), 500)
    assert caught.value.code == "image.too_large"
    assert "the limit is 500" in str(caught.value)
