"""The options of `hf`."""

from labels2chat.adapters.hf.objects import FORMATS
from labels2chat.types import Option

OPTIONS = {
    "image": Option(
        "column of the pictures, or of the names of their files, with suffix or without; several: left,right"
    ),
    "label": Option("column of the class; label= (empty) where there is none"),
    "objects": Option("column of the objects with boxes"),
    "caption": Option("column of the captions; several: short,long"),
    "question": Option("column of the questions"),
    "answer": Option("column of the answers"),
    "choices": Option("column of the choices of each question"),
    "id": Option("column of the sample ids (default: id or image_id where no two are equal, else split/row)"),
    "bbox_format": Option(
        "how boxes are written (default: coco, and a stop where they can't be)", "choice", None, tuple(FORMATS)
    ),
    "split": Option("read this split only; names the split of files that don't say theirs"),
    "config": Option("configuration of a dataset as its card has it, or folder of it"),
    "revision": Option("branch, tag or commit of a hub dataset; also hf:user/name@revision"),
    "streaming": Option("stream a hub dataset instead of downloading it first", "flag", False),
    "field": Option("key of the list of records in a .json file"),
    "images": Option("folder where image paths begin (default: where the data file is)", "folder"),
    "annotation_frame": Option(
        "which pixels the boxes count where EXIF rotates the image", "choice", "auto", ("auto", "stored", "display")
    ),
    "rescale_boxes": Option("scale boxes when the file's size is not the declared one", "flag", False),
    "allow_outside_root": Option("let image paths in text lead anywhere", "flag", False),
}
