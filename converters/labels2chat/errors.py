"""Everything that can go wrong, in one place.

Misuse raises; bad data is a reject with a code.

    Labels2ChatError
    ├── UsageError (ValueError)            an option or argument that does not exist or does not fit
    ├── SourceError (ValueError)           the dataset as a whole can't be read
    ├── TemplateError (ValueError)         a template that is wrong, with file and line
    ├── TargetError (ValueError)           a target that is unknown or wrong
    ├── OutputError (OSError)              the output could not be written
    │   └── OutputExistsError              OUT holds something else
    ├── MissingExtraError (ImportError)    an optional package isn't installed
    └── RecordError (ValueError)           one record is bad: it becomes a reject, the run goes on
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class Labels2ChatError(Exception):
    """The base: catch this to catch all that labels2chat raises on purpose."""


class UsageError(Labels2ChatError, ValueError):
    """An option or an argument that does not exist or does not fit."""


class SourceError(Labels2ChatError, ValueError):
    """The dataset as a whole can't be read."""


class TemplateError(Labels2ChatError, ValueError):
    """A template is wrong; the message begins with file:line:column."""


class TargetError(Labels2ChatError, ValueError):
    """A target is unknown, or its profile is wrong."""


class OutputError(Labels2ChatError, OSError):
    """The output could not be written; nothing half-written bears a final name."""


class OutputExistsError(OutputError):
    """The output folder holds something that this run did not make."""


class MissingExtraError(Labels2ChatError, ImportError):
    """An optional package is missing; the message names the extra that brings it."""


class RecordError(Labels2ChatError, ValueError):
    """One record can't be used. Carries the stable code that the reject will bear."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ' (did you mean X?)' when a known word is close, else the list of the known ones."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else f" (known: {', '.join(known) or 'none'})"


CODES: dict[str, str] = {
    # images
    "image.missing": "put the file where the dataset says, or give -O images=DIR where the source takes it",
    "image.outside_root": "the path leaves the image folder; move the file inside it or fix the record",
    "image.unreadable": "check the file's permissions",
    "image.empty": "the file has 0 bytes; download or export it again",
    "image.lfs_pointer": "the file is a git-LFS pointer; run `git lfs pull`",
    "image.not_an_image": "the bytes are no image of a known format; export the file again",
    "image.truncated": "the file ends early or is damaged; download or export it again",
    "image.no_decoder": "install what the message names, or convert the image to JPEG or PNG",
    "image.bomb": "more pixels than can be decoded safely; resize the file yourself",
    "image.format": "convert the image to one of the target's formats",
    "image.mode": "convert the image to RGB or RGBA",
    "image.mime": "state the format that the bytes really have",
    "image.base64": "encode the bytes as standard base64 without line breaks",
    "image.url": "use a data URI or a public http(s) URL",
    "image.too_large": "re-encode or shrink the image",
    "image.too_many": "one line is one example: split it, or send fewer images in it",
    "image.size_mismatch": "the labels were made for another size: fix the record, or give -O rescale_boxes=true",
    "image.needs_repair": "a URL can't carry a repaired image: use --images inline, or repair the file behind the URL",
    "image.no_url": "the dataset has no address for the image: give --url-prefix",
    "image.no_size": "the text needs the image's size: use a dataset that declares it, or have the file at hand",
    "image.remote": "there is a URL and no file: give -O images=DIR, use --images url, or download it first",
    "image.inaccessible": "make sure that anybody can fetch the address, or send the image as a data URI",
    "image.orientation": "turn the pixels, as validate --fix does, and look whether coordinates in the text still fit",
    "image.animated": "send the one frame that is meant",
    "image.role": "move the image into a user message",
    "image.detail": "use one of low, high, auto",
    # boxes and other labels
    "box.empty": "the box has no area; fix or delete the annotation",
    "box.not_finite": "the box has NaN or Infinity; fix or delete the annotation",
    "box.outside": "the box lies outside its image; fix or delete the annotation",
    "segmentation.rle": "a run-length mask has no outline: use a source with polygons, or another template",
    "segmentation.bad": "the polygon or RLE can't be read; fix it, or use a template that needs no masks",
    "keypoints.bad": "keypoints are x, y, v for each point; fix them, or use a template that needs none",
    "annotation.bad_record": "the annotation can't be read; fix or delete it",
    "annotation.orphan": "no image has this image_id; fix or delete the annotation",
    "annotation.unknown_category": "no category has this category_id; add it to categories",
    "caption.empty": "the caption has no text; fix or delete it",
    "question.no_answer": "the question has no answer; add one or delete the question",
    "text.surrogate": "the text holds half of a character pair (a lone surrogate); save it as valid UTF-8",
    "text.reserved": "the target takes this word for a mark of its own: use another in the label or the template",
    # samples
    "sample.bad_record": "the record can't be read; fix or delete it",
    "sample.skipped": "the template makes no example of such a sample (select.empty, max_per_image, group_size)",
    "sample.no_labels": "the sample lacks a kind of label that the template needs",
    "sample.images": "give each image a row (FiftyOne: -O group_slice=NAME), or take a template for so many images",
    "template.failed": "the template could not be rendered for this sample",
    "sample.duplicate": "the image and its labels are there already; leave out --dedup to keep it",
    "screen.likely": "the provider says it leaves such images out; --on-likely keep or quarantine writes them",
    # examples
    "example.json": "make each line one JSON object",
    "example.schema": "give the example the shape that the target documents",
    "example.role": "use the roles that the target takes, in an order that it takes",
    "example.weight": "this target learns from every answer: leave the message out, or choose a target with weights",
    "example.no_user": "add a user message",
    "example.no_answer": "add an assistant message with text at the end",
    "example.empty_text": "write something into the message, or leave it out",
    "example.same_answers": "the worse answer equals the right one, so the pair teaches nothing",
    "example.duplicate": "leave out the second one",
    "example.unknown_key": "spell the key as the target documents it, or leave it out",
    "example.too_long": "shorten the example: what is over the limit is cut off, the answer first",
    # a model's answers
    "answer.row": "make each line one JSON object with the answer and the image's id",
    "answer.no_image": "give the row the id or file name of an image of the source, or name the right --against",
    "answer.unreadable": "no object with a box is in it; look at what the model was asked, and at --coordinates",
    "answer.cut_off": "let the model write more tokens; the objects before the cut were read",
    "answer.box": "four numbers with an area inside the image make a box; look at --coordinates",
    "answer.class": "the model named something that is no class of the source",
    # files
    "file.too_few": "give the file at least as many examples as the target asks for",
    "file.too_many": "split the file",
    "file.too_large": "split the file, or send smaller images",
    "file.encoding": "save the file as UTF-8",
    "file.bom": "save the file as UTF-8 without a byte order mark",
    "file.blank_line": "delete the line",
    "file.mixed": "put chat examples and preference pairs into files of their own",
    "file.hash": "the file is not what the manifest says: run the same convert again to rebuild it",
    "file.missing": "a file that the manifest lists is gone: run the same convert again to rebuild it",
    "manifest.accounting": "the manifest's numbers do not add up: run the same convert again",
}
"""Every code a reject or a finding may bear, with what to do about it in one line."""

WARNINGS = frozenset({"example.duplicate", "example.unknown_key", "image.animated", "image.orientation"})
"""Codes of findings that no provider refuses a file for; all others are errors."""
