"""What pixels suggest. A guess either way, so never more than possible."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from PIL import ImageFilter

from labels2chat.errors import MissingExtraError, UsageError
from labels2chat.images import FORMATS, Header

_WIDEST, _HIGHEST = 320, 130
"""Pixels. A CAPTCHA's picture is small and wide; this is our guess, no provider says what it looks for."""


def like_a_captcha(data: bytes, header: Header) -> bool:
    """Whether a small wide picture has few colours and many edges, as distorted letters on a plain ground have."""
    width, height = header.upright
    if not (40 <= width <= _WIDEST and 15 <= height <= _HIGHEST and 1.8 <= width / height <= 6):
        return False
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as image:
            picture = image.convert("RGB")
    except Exception:  # Pillow's decoders raise all kinds on wild bytes; convert says what is wrong with them
        return False
    colours = picture.point(lambda value: value & 0xC0).getcolors(64) or []
    most = sorted((count for count, _ in colours), reverse=True)[:4]
    few = bool(most) and most[0] >= 0.4 * width * height and sum(most) >= 0.8 * width * height
    edges = picture.convert("L").filter(ImageFilter.FIND_EDGES).crop((1, 1, width - 1, height - 1))
    strong = sum(edges.histogram()[64:]) / ((width - 2) * (height - 2))
    return few and 0.08 <= strong <= 0.6


def face_detector(choice: str) -> Callable[[bytes], int]:
    """Return a function that counts the faces in an image file.

    `choice` is 'haar' for the frontal cascade alt2 that OpenCV 4 brings (OpenCV 5 has neither cascade nor class:
    https://github.com/opencv/opencv/pull/25198), or the path of a YuNet model, YUNET.onnx
    (https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet). A cascade misses faces from the side
    and finds some where there are none. Raises MissingExtraError, and UsageError where the model can't be used.
    """
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("--faces needs OpenCV: pip install 'labels2chat[faces]'") from None
    if choice == "haar":
        if not hasattr(cv2, "CascadeClassifier"):
            version = getattr(cv2, "__version__", "5")
            raise MissingExtraError(
                f"OpenCV {version} has no cascades: pip install 'opencv-python-headless<5', or give --faces YUNET.onnx"
            )
        folder = Path(cv2.__file__).parent / "data"
        cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_alt2.xml"))
        if cascade.empty():
            raise MissingExtraError(f"OpenCV has no haarcascade_frontalface_alt2.xml in {folder}; give YUNET.onnx")
        return lambda data: len(cascade.detectMultiScale(_pixels(cv2, data, grey=True), 1.1, 4, minSize=(24, 24)))
    if not Path(choice).is_file():
        raise UsageError(f"--faces {choice}: there is no such model file; say haar, or give the path of a YuNet .onnx")
    try:
        network = cv2.FaceDetectorYN.create(choice, "", (320, 320))
    except cv2.error as error:
        raise UsageError(f"--faces {choice}: OpenCV can't read it as a YuNet model ({error.err})") from None

    def count(data: bytes) -> int:
        pixels = _pixels(cv2, data, grey=False)
        network.setInputSize((pixels.shape[1], pixels.shape[0]))
        faces = network.detect(pixels)[1]
        return 0 if faces is None else len(faces)

    return count


_SIDE = 1024
"""Larger images are looked at in this size: a face that matters is still larger than 24 pixels in it."""


def _pixels(cv2: Any, data: bytes, grey: bool) -> Any:
    """Decode an image upright, in OpenCV's order of colours."""
    import numpy
    from PIL import ImageOps

    with Pillow.open(io.BytesIO(data), formats=FORMATS) as image:
        image.draft("RGB", (_SIDE, _SIDE))
        picture = ImageOps.exif_transpose(image).convert("L" if grey else "RGB")
    picture.thumbnail((_SIDE, _SIDE))
    pixels = numpy.asarray(picture)
    return pixels if grey else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
