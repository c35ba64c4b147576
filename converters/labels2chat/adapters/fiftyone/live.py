"""Datasets and views through the FiftyOne library."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from itertools import chain, groupby
from typing import Any

from labels2chat.adapters.fiftyone.database import (
    Query,
    and_groups,
    batches,
    bearing,
    count,
    filled,
    fingerprint,
    folder,
    found,
    query,
    reaching,
    still_there,
    unseen,
)
from labels2chat.adapters.fiftyone.fields import (
    OPEN,
    Field,
    Words,
    categories,
    choose,
    cropped,
    shown,
    unborne,
    understood,
    words,
)
from labels2chat.adapters.fiftyone.predictions import write_predictions
from labels2chat.adapters.fiftyone.sample import Plan, described, empty_patches, moved_to, sample_of
from labels2chat.adapters.fiftyone.stages import changed, edited, relabelled
from labels2chat.adapters.fiftyone.write_back import refuse_field, write_back
from labels2chat.collector import calm
from labels2chat.errors import MissingExtraError, SourceError, UsageError, did_you_mean
from labels2chat.types import Annotation, Sample, Source

_IMAGES = (None, "image", "unknown")
"""Media types that are read; 'unknown' is a suffix that FiftyOne doesn't know: the file's bytes will tell."""
_PATCHES = "read a view made with to_patches() or to_evaluation_patches(), by its saved name (-O view=NAME) or as it is"


def open_name(name: str, options: dict[str, Any], fault: str = "") -> Source:
    """Open a dataset by its name; `fault` says why it is no export folder, where it could be one."""
    try:
        with off_stdout(), reaching():
            fiftyone = _library()
            known = fiftyone.list_datasets()
            if name not in known:
                raise SourceError(f"FiftyOne has no dataset {name!r}{did_you_mean(name, known)}")
            dataset = fiftyone.load_dataset(name)
    except (SourceError, MissingExtraError) as error:
        if not fault:
            raise
        raise SourceError(f"{fault}; {error}") from error
    return open_collection(dataset, options)


def open_collection(collection: Any, options: dict[str, Any]) -> Source:
    """Open a Dataset or a view."""
    if not hasattr(type(collection), "_root_dataset"):
        raise UsageError(f"a {type(collection).__name__} is no FiftyOne dataset; give a Dataset or a view of one")
    with off_stdout(), reaching():
        return _open(collection, options)


def _open(collection: Any, options: dict[str, Any]) -> Source:
    view, slices, unlike = _selected(collection, options)
    root = view._root_dataset
    place, said = f"fiftyone:{root.name}", _words(root)
    if options.get("write_back"):
        refuse_field(root)
    asked, group = query(view, slices), view.group_field if slices else None
    counted, passed = view.count(), _passed_over(collection, options.get("group_slice"))
    if slices:
        tags = words(options.get("tags"))
        others = unseen(view, slices, tags)
        more = count(asked.collection, others)
        if more and len(view._stages) == bool(tags):  # the whole dataset, maybe with the stage that the tags made
            asked, counted = and_groups(asked, others, view.group_field, slices), counted + more
        elif more:
            passed[f"groups without the slice {view.group_slice}, which FiftyOne's views leave out"] = more
    fields = understood(_fields(view), said)
    choice = choose(fields, options, said, place, filled(asked, fields), _patch(view))
    plan = Plan(
        choice,
        place,
        common=folder(root._sample_collection),
        images=moved_to(options),
        split=options.get("split"),
        masks=bool(options.get("masks", True)),
        crop=cropped(bool(options.get("crop")), choice, _PATCHES),
    )
    paths = edited(view)
    if unlike and (names := changed(choice.fields, paths)):
        raise UsageError(
            f"the view changes {shown(names)}, which FiftyOne does in its slice {unlike} alone: read that one with "
            f"-O group_slice={unlike}, or begin the view with select_group_slices()"
        )
    if plan.crop:
        asked = bearing(asked, choice.cutting)
        every, counted = counted, count(asked.collection, asked.stages)
        if counted < every:
            passed[empty_patches(choice)] = every - counted
    what = {one.name: found(asked, one) for one in choice.labels if one.family != "segmentation"}
    narrowed = relabelled(choice.labels, paths)
    plan.classes = categories(choice, said, what, plan.masks, narrowed)
    if left := unborne(choice, said, what, narrowed):
        choice.notes[f"declared classes that the view's labels don't bear ({shown(left)})"] = len(left)

    def samples() -> Iterator[Sample]:
        if slices:
            yield from _grouped(asked, plan, str(group), slices)
        else:
            for batch in batches(asked, choice, plan.masks):
                with calm():
                    made = [sample_of((document,), str(document["_id"]), plan) for document in batch]
                yield from made
        still_there(asked.collection, place)

    about = described(plan, what, samples(), counted)
    about["notes"] |= passed
    after = None
    if options.get("write_back"):

        def after(outcomes: dict[str, str]) -> None:
            with off_stdout(), reaching("-O write_back=true: "):
                still_there(root._sample_collection, place)
                write_back(view, slices, outcomes)

    def predictions(name: str, made: dict[str, list[Annotation]]) -> None:
        if slices or view._is_generated:
            raise UsageError("predictions go into a dataset of single images, not of groups or patches")
        with off_stdout(), reaching():
            write_predictions(view, {one.name for one in choice.labels}, name, made)

    return Source(
        uri=place,
        adapter="fiftyone",
        read=samples,
        fingerprint=lambda: fingerprint(asked, choice, plan.masks, said, group),
        after=after,
        predictions=predictions,
        **about,
    )


def _grouped(asked: Query, plan: Plan, group: str, slices: list[str]) -> Iterator[Sample]:
    """Make one sample of each group, its images in the order of the dataset's slices."""
    documents = chain.from_iterable(batches(asked, plan.choice, plan.masks, group=group))
    for id, members in groupby(documents, lambda document: str(document[group]["_id"])):
        yield sample_of(sorted(members, key=lambda document: slices.index(document[group]["name"])), id, plan)


def _selected(collection: Any, options: dict[str, Any]) -> tuple[Any, list[str] | None, str]:
    """Return the view that the options name, and the slices of which a group's sample is made, if it is grouped.

    Where other slices are read than the one that the view is of, that one is the third.
    """
    name = options.get("view")
    if getattr(collection, "deleted", False):
        raise SourceError(f"the FiftyOne dataset was deleted: {collection.name}")
    if not name:
        view = collection.view()
    elif not hasattr(collection, "load_saved_view"):
        raise UsageError("-O view=NAME goes with a dataset; this is a view already")
    else:
        known = collection.list_saved_views()
        if name not in known:
            raise UsageError(f"-O view={name}: {collection.name} has no such saved view{did_you_mean(name, known)}")
        with reaching(f"-O view={name}: "):
            view = collection.load_saved_view(name)
    if view._is_dynamic_groups:
        raise SourceError("the view is grouped by group_by(): of each group FiftyOne shows one sample; give flat=True")
    view, slices, unlike = _sliced(view, options.get("group_slice"))
    media = view.media_type
    if not slices and media not in _IMAGES:
        hint = "; make images of its frames with to_frames(sample_frames=True)" if media == "video" else ""
        raise SourceError(f"fiftyone:{view._root_dataset.name} holds media of type {media}; images are read{hint}")
    if wanted := words(options.get("tags")):
        known = view._dataset._sample_collection.distinct("tags") if slices else view.distinct("tags")
        for tag in wanted:
            if tag not in known:
                raise UsageError(f"-O tags={tag}: no sample has this tag{did_you_mean(tag, known)}")
        view = view.match_tags(wanted)
    return view, slices, unlike


def _patch(view: Any) -> list[str]:
    """Name the fields that a view's patches are of, the truth first; none where they are no patches."""
    if not view._is_patches:
        return []
    names = (getattr(view, name, None) for name in ("patches_field", "gt_field", "pred_field"))
    return [name.removeprefix("frames.") for name in names if name]


def _sliced(view: Any, wanted: str | None) -> tuple[Any, list[str] | None, str]:
    if view.media_type != "group":
        if wanted:
            raise UsageError(f"-O group_slice={wanted}: the dataset isn't grouped")
        return view, None, ""
    media = view.group_media_types
    images = [name for name, type in media.items() if type in _IMAGES]
    if wanted and wanted not in media:
        raise UsageError(f"-O group_slice={wanted}: there is no such slice{did_you_mean(wanted, media)}")
    if wanted and wanted not in images:
        raise SourceError(f"the slice {wanted} holds media of type {media[wanted]}; images are read")
    if not images:
        raise SourceError(f"no slice holds images: {', '.join(f'{name} ({type})' for name, type in media.items())}")
    own = view.group_slice
    if wanted or len(images) == 1:
        name = wanted or images[0]
        if name == own and edited(view):
            return _chosen_first(view, name), None, ""
        return view.select_group_slices(name), None, "" if name == own else own
    return view, images, own


def _chosen_first(view: Any, slice: str) -> Any:
    """Choose the slice before the view's stages: FiftyOne 1.0 forgets what they have changed when it is chosen last."""
    chosen = view._root_dataset.select_group_slices(slice)
    for stage in view._stages:
        chosen = chosen.add_stage(stage)
    return chosen


def _passed_over(collection: Any, wanted: str | None) -> dict[str, int]:
    """Count the slices of a grouped dataset that are not read, and nobody asked to leave out."""
    if collection.media_type != "group" or wanted:
        return {}
    others = [name for name, type in collection.group_media_types.items() if type not in _IMAGES]
    return {f"slices not read ({', '.join(others)})": len(others)} if others else {}


def _fields(view: Any) -> Iterator[Field]:
    """List the fields of a view's samples, those inside other documents too, but not those inside labels."""
    keys: dict[str, str] = {}
    closed: set[str] = set()
    for name, field in view.get_field_schema(flat=True).items():
        above, _, last = name.rpartition(".")
        if above in closed:
            closed.add(name)
            continue
        kind = getattr(getattr(field, "document_type", None), "__name__", None) or type(field).__name__
        keys[name] = (f"{keys[above]}." if above else "") + (field.db_field or last)
        if kind not in OPEN:
            closed.add(name)
        yield Field(name, keys[name], kind)


def _words(dataset: Any) -> Words:
    skeletons = {name: skeleton.labels for name, skeleton in dataset.skeletons.items()}
    default = dataset.default_skeleton
    return Words(
        dict(dataset.classes),
        list(dataset.default_classes),
        dict(dataset.mask_targets),
        dict(dataset.default_mask_targets),
        skeletons,
        default.labels if default else None,
        list(dataset.list_evaluations()),
    )


def _library() -> Any:
    try:
        import fiftyone
    except ImportError as error:
        if error.name != "fiftyone":
            raise SourceError(f"FiftyOne is installed and can't be imported: {error}") from error
        raise MissingExtraError(
            'a dataset by its name needs FiftyOne: pip install "labels2chat[fiftyone]"; '
            "an export folder (samples.json, metadata.json) is read without it"
        ) from None
    except Exception as error:  # a config file that is no JSON
        raise SourceError(f"FiftyOne is installed and can't be imported: {error}") from error
    return fiftyone


class _Stderr:
    """Whatever stderr is at the moment: FiftyOne's log keeps the stream that it finds when it is imported."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextmanager
def off_stdout() -> Iterator[None]:
    """Send to stderr what FiftyOne and the server that it may start say to stdout: that is for data."""
    try:
        kept = os.dup(1)
    except OSError:  # it is closed
        kept = -1
    try:
        with redirect_stdout(_Stderr()):
            if kept >= 0:
                os.dup2(2, 1)
            yield
    finally:
        if kept >= 0:
            os.dup2(kept, 1)
            os.close(kept)
