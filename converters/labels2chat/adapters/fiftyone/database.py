"""What FiftyOne's MongoDB is asked: documents in batches, label names, a digest of it all.

A view's own pipeline does the work, and what comes out are plain documents. FiftyOne's `values()` does the same; its
samples, made one by one, take ten times as long and more.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Struct

from labels2chat.adapters.fiftyone.fields import TAG_PREFIX, Choice, Field, Found, Words
from labels2chat.adapters.fiftyone.labels import Document
from labels2chat.adapters.fiftyone.sample import common_folder
from labels2chat.collector import calm
from labels2chat.errors import Labels2ChatError, SourceError

_BATCH = 500
"""Documents that are in memory at once."""


class Query(Struct):
    """A view's documents: those of a collection after the stages of a pipeline."""

    collection: Any
    stages: list[dict[str, Any]]


def query(view: Any, slices: list[str] | None) -> Query:
    """Return the documents of a view; those of a grouped one are the named slices', group after group."""
    stages = view._pipeline(groups_only=True, group_slices=slices) if slices else view._pipeline()
    return Query(view._dataset._sample_collection, stages)


def batches(asked: Query, choice: Choice, masks: bool, *, group: str | None = None) -> Iterator[list[Document]]:
    """Yield the documents with the chosen fields, some hundred at a time.

    MongoDB forgets a cursor that nobody asked for ten minutes, and a shard can take longer: the reading then goes on
    with a new one behind what it had.
    """
    from pymongo.errors import CursorNotFound

    stages, seen = [*asked.stages, *_projection(choice, masks, group)], 0
    while True:
        with reaching():
            rest = [*stages, {"$skip": seen}] if seen else stages
            cursor = asked.collection.aggregate(rest, allowDiskUse=True, batchSize=_BATCH)
        try:
            with cursor:
                while batch := _next(cursor):
                    seen += len(batch)
                    yield batch
            return
        except CursorNotFound:
            continue


def _next(cursor: Any) -> list[Document]:
    batch: list[Document] = []
    with reaching(), calm():
        for document in cursor:
            batch.append(document)
            if len(batch) == _BATCH:
                break
    return batch


def _projection(choice: Choice, masks: bool, group: str | None) -> list[dict[str, Any]]:
    """Keep what is read: not the tags that we write ourselves, nor vectors, nor masks where they aren't asked for."""
    foreign = {"$ne": [{"$substrCP": ["$$this", 0, len(TAG_PREFIX)]}, TAG_PREFIX]}
    tags = {"$filter": {"input": {"$ifNull": ["$tags", []]}, "as": "this", "cond": foreign}}
    keep: dict[str, Any] = {"filepath": 1, "tags": tags}
    drop: dict[str, int] = {}
    if group:
        keep[group] = 1
    for one in choice.fields:
        keep[one.key] = 1
        inside = f"{one.key}.{one.items}" if one.items else one.key
        if one.family == "classification":
            drop[f"{inside}.logits"] = 0
        elif one.family == "detection" and not masks:
            drop |= {f"{inside}.mask": 0, f"{inside}.mask_path": 0}
        elif one.family == "segmentation" and not masks:
            drop[f"{inside}.mask"] = 0
    if masks:
        keep |= {"metadata.width": 1, "metadata.height": 1}
    return [{"$project": keep}, *([{"$project": drop}] if drop else [])]


def filled(asked: Query, fields: list[Field]) -> set[str] | None:
    """Name the fields that have a value in any document; None where there are no documents."""
    has = {f"f{number}": {"$max": {"$gt": [f"${one.key}", None]}} for number, one in enumerate(fields)}
    with reaching():
        for row in asked.collection.aggregate([*asked.stages, {"$group": {"_id": None, **has}}], allowDiskUse=True):
            return {one.name for number, one in enumerate(fields) if row[f"f{number}"]}
    return None


def bearing(asked: Query, fields: list[Field]) -> Query:
    """Keep the documents that have an object in one of the fields."""
    sizes = [{"$size": {"$ifNull": [f"${one.key}.{one.items}", []]}} if one.items else f"${one.key}" for one in fields]
    there = [{"$gt": [size, 0 if one.items else None]} for one, size in zip(fields, sizes, strict=True)]
    return Query(asked.collection, [*asked.stages, {"$match": {"$expr": {"$or": there}}}])


def found(asked: Query, one: Field) -> Found:
    """Count the names that a field's labels bear, and see whether any of them has an outline."""
    inside = f"${one.key}.{one.items}" if one.items else f"${one.key}"
    if one.family == "polyline":
        outlined: Any = {"$or": [{"$eq": [f"{inside}.closed", True]}, {"$eq": [f"{inside}.filled", True]}]}
    else:
        outlined = {"$or": [{"$gt": [f"{inside}.mask", None]}, {"$gt": [f"{inside}.mask_path", None]}]}
    stages: list[dict[str, Any]] = [{"$project": {one.key: 1}}, {"$match": {one.key: {"$ne": None}}}]
    if one.items:
        stages.append({"$unwind": inside})
    stages.append({"$group": {"_id": f"{inside}.label", "count": {"$sum": 1}, "outlined": {"$max": outlined}}})
    result = Found()
    with reaching():
        for row in asked.collection.aggregate([*asked.stages, *stages], allowDiskUse=True):
            result.outlined = result.outlined or row["outlined"]
            if isinstance(row["_id"], str) and row["_id"]:
                result.labels[row["_id"]] = row["count"]
    return result


def fingerprint(asked: Query, choice: Choice, masks: bool, said: Words, group: str | None) -> str:
    """Digest all that is read, as the database sends it; what `write_back` writes is no part of it."""
    digest = hashlib.sha256(msgspec.json.encode([choice.fields, said]))
    stages = [*asked.stages, *_projection(choice, masks, group)]
    with reaching():
        for batch in asked.collection.aggregate_raw_batches(stages, allowDiskUse=True, batchSize=_BATCH):
            digest.update(batch)
    return digest.hexdigest()


def folder(collection: Any) -> str:
    """Return the folder that all files of a dataset are below; `filepath` has an index, so this takes no time."""
    ends = []
    with reaching():
        for order in (1, -1):
            row = collection.find_one({"filepath": {"$gt": ""}}, {"filepath": 1}, sort=[("filepath", order)])
            ends.append(row["filepath"] if row else "")
    return common_folder(*ends)


def unseen(view: Any, slices: list[str], tags: list[str]) -> list[dict[str, Any]]:
    """Return the stages that find the groups which FiftyOne leaves out: they lack the slice that a view begins with.

    Only those that have one of the named slices, in which, if `tags` are given, a sample bears one of them.
    """
    field = view.group_field
    wanted: list[Any] = [{"$in": [f"${field}.name", slices]}]
    if tags:
        wanted.append({"$ne": [{"$setIntersection": [{"$ifNull": ["$tags", []]}, tags]}, []]})
    first = {"$max": {"$eq": [f"${field}.name", view.group_slice]}}
    return [
        {"$group": {"_id": f"${field}._id", "first": first, "wanted": {"$max": {"$and": wanted}}}},
        {"$match": {"first": False, "wanted": True}},
    ]


def count(collection: Any, stages: list[dict[str, Any]]) -> int:
    """Count the documents that stages make."""
    with reaching():
        return sum(row["count"] for row in collection.aggregate([*stages, {"$count": "count"}], allowDiskUse=True))


def and_groups(asked: Query, stages: list[dict[str, Any]], field: str, slices: list[str]) -> Query:
    """Add the documents of the groups that the stages find, those of the named slices, group after group."""
    name = asked.collection.name
    members = {"from": name, "localField": "_id", "foreignField": f"{field}._id", "as": "member"}
    more = [
        *stages,
        {"$sort": {"_id": 1}},
        {"$lookup": members},
        {"$unwind": "$member"},
        {"$replaceRoot": {"newRoot": "$member"}},
        {"$match": {f"{field}.name": {"$in": slices}}},
    ]
    return Query(asked.collection, [*asked.stages, {"$unionWith": {"coll": name, "pipeline": more}}])


def still_there(collection: Any, place: str) -> None:
    """Raise SourceError where the dataset of these samples was deleted: MongoDB says nothing, and has no documents."""
    with reaching():
        if collection.database["datasets"].find_one({"sample_collection_name": collection.name}, {"_id": 1}) is None:
            raise SourceError(f"{place}: the dataset was deleted meanwhile")


_HOMES = ("fiftyone", "pymongo", "mongoengine")


@contextmanager
def reaching(what: str = "") -> Iterator[None]:
    """Turn what FiftyOne and MongoDB raise into one clear SourceError, which begins with `what`."""
    try:
        yield
    except Labels2ChatError:
        raise
    except Exception as error:
        if type(error).__name__ == "CursorNotFound":
            raise
        text = " ".join(str(error).split())[:250] or type(error).__name__
        if type(error).__module__.partition(".")[0] in _HOMES or isinstance(error, OSError | RuntimeError):
            ask = "does `python -c 'import fiftyone; print(fiftyone.list_datasets())'` work?"
            raise SourceError(f"{what}FiftyOne can't be read: {text}{_address()}; {ask}") from error
        if _raised_in(error) not in _HOMES:
            raise
        raise SourceError(f"{what}FiftyOne says: {text}") from error


def _raised_in(error: Exception) -> str:
    """Name the package whose code raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] if trace is not None else ""


def _address() -> str:
    """Say where FiftyOne looks for its server, without name and password; '' where it starts one of its own."""
    config = getattr(sys.modules.get("fiftyone"), "config", None)
    uri = getattr(config, "database_uri", None)
    return f" (at {re.sub('//[^/]*@', '//', uri)})" if uri else ""
