"""A whole run."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

import labels2chat
from labels2chat import coordinates as coordinate_table
from labels2chat.check import Tally, check_file
from labels2chat.collector import seldom
from labels2chat.engines import Crew, processes, threads
from labels2chat.errors import OutputExistsError, SourceError, UsageError, did_you_mean
from labels2chat.files import locked
from labels2chat.images import AS_IT_IS, Policy
from labels2chat.packs import PACKS, pack_of, rows
from labels2chat.packs.card import card
from labels2chat.road.ahead import Ahead
from labels2chat.road.assign import assign, grouped
from labels2chat.road.budget import Budget, choose
from labels2chat.road.job import Job, Prompt
from labels2chat.road.memory import open_source
from labels2chat.road.output import SideFiles, close, make_folder, start_over, take_up
from labels2chat.road.pictures import AS_FILES, gone
from labels2chat.road.plan import outline, plan, sized
from labels2chat.road.rejects import clean
from labels2chat.road.shard import Progress, convert_shard
from labels2chat.road.sieve import OnLikely, Sieve, settle
from labels2chat.screen import ceiling_warning, load_rules, open_screen
from labels2chat.shards import Entry, Report, Task, damage, digest, sweep
from labels2chat.target import Limit, Target, load_target, target_names
from labels2chat.template import Template, load_template
from labels2chat.types import Example, Piece, Sample, Source

ENGINES = ("processes", "threads")

_USUAL = {"together": "near", "on_likely": "keep", "people_screen": True}
"""Such options are part of a run's identity where they are something else."""
_SPLIT = re.compile(r"\w[\w .+-]*")


class Result(Struct):
    """What a run made."""

    out: Path
    manifest: dict[str, Any]
    kept: int
    """Shards that an earlier run had finished."""
    warnings: list[str]
    too_many_rejects: bool
    plan: list[dict[str, Any]] = field(default_factory=list)
    """What a dry run would make, a line per shard."""
    budget: dict[str, Any] | None = None
    """What `fit_file` chose, and what it costs."""


@seldom()
def convert(
    source: Source | Iterable[Sample] | str,
    template: Template | str | Mapping[str, float],
    out: str | Path,
    target: Target | str = "openai",
    *,
    options: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    target_options: dict[str, str] | None = None,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    coordinates: str | None = None,
    detail: str | None = None,
    method: str = "sft",
    images: str | None = None,
    url_prefix: str | None = None,
    policy: Policy = AS_IT_IS,
    fit_file: int | None = None,
    verify: str = "header",
    shard_size: int | None = None,
    workers: int | None = None,
    engine: str | None = None,
    max_rejects: str | None = None,
    val: str | None = None,
    dedup: str | None = None,
    together: str = "near",
    on_likely: OnLikely = "keep",
    screen_rules: str | None = None,
    people_screen: bool = True,
    pack: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Convert a dataset into a folder of training files.

    Args:
        source: what `read` takes or returns, or any iterable of Samples.
        template: a built-in template's name, the path of a template file, or a loaded one; for a mix
            {name: weight}, where each sample goes to one of them and the weights are shares of the samples.
        out: the folder to make. Running the same call again continues where it stopped.
        target: a built-in target's name, the path of a profile, or a loaded one.
        options: the adapter's, where `source` is text.
        params: the template's parameters.
        target_options: the target's: {'bucket_owner': '123456789012'}.
        split: convert this split only.
        limit: convert the first so many samples only.
        coordinates: a convention; wins over the template's, which wins over the target's.
        method: 'sft', or 'dpo' for preference data, from templates that have a rejected answer.
        images: 'inline', 'url', 'files' or 'link'; the target's first choice where None.
        policy: what is done to images beyond what the target demands.
        fit_file: choose a quality and a scale for all images with which each split fits one file of so many bytes.
        verify: 'header' checks that image files are whole, 'decode' decodes every pixel.
        shard_size: samples per shard; as many as one file of the target may hold where None.
        workers: how many prepare and write samples; one per processor where None.
        engine: 'processes' or 'threads'; processes where None, if this process can be forked.
        max_rejects: 'N' or 'P%' of the samples; any number where None, 10 % once more than 100 were read.
        val: '10%' or a number: cut so many samples off as the split val, by image, and by class where there are any.
        dedup: leave out the samples whose image and labels an earlier one has: 'exact' by the file, 'near' by a
            perceptual hash too.
        together: which samples `val` keeps on one side: those with an image that is 'near' alike, or 'exact'ly.
        on_likely: what to do with the samples whose labels name what the target says it leaves out of the training:
            'keep', 'drop', or 'quarantine', which writes them into files of their own.
        screen_rules: a YAML file with more such names.
        pack: 'parquet' or 'webdataset': besides the lines, the same rows with their images inside, and a hub's card.
        people_screen: False where the provider has exempted you from its screening for people and faces.
        progress: called now and then with how far the run is; before that, where `val` or `dedup` look at all images,
            with how far that is.
        overwrite: remove what an earlier run made in `out`, if this run is another one.

    Raises:
        UsageError, SourceError, TemplateError, TargetError: before anything is written.
        OutputExistsError: `out` holds something else, or an unfinished run of something else.
        OutputError: the files could not be written.
    """
    started = time.time()
    target = load_target(target) if isinstance(target, str) else target
    templates = load_mix(template)
    delivery = _delivery(images, url_prefix, target)
    known_word("detail", detail, target.detail.values)
    known_word("verify", verify, ("header", "decode"))
    known_word("method", method, ("sft", "dpo"))
    if method not in target.methods:
        raise UsageError(f"--method {method}: {target.name} takes {' and '.join(target.methods)} only")
    known_word("dedup", dedup, ("exact", "near"))
    known_word("together", together, ("exact", "near"))
    known_word("on-likely", on_likely, ("keep", "drop", "quarantine"))
    screen = open_screen(target, screen_rules, not people_screen)
    counts = (("limit", limit), ("shard_size", shard_size), ("workers", workers), ("fit_file", fit_file))
    for option, number in counts:
        if number is not None and number < 1:
            raise UsageError(f"{option}={number}: give a number from 1 on")
    allowed = _allowed_rejects(max_rejects)
    known_word("engine", engine, ENGINES)
    if pack is not None:
        _ready_to_pack(pack, delivery, target)
    source = open_source(source, options)
    if delivery == "url" and not url_prefix and not any(image.url for s in islice(source, 1) for image in s.images):
        raise UsageError("--images url needs --url-prefix: the public address under which the image files lie")
    prompts = join_templates(templates, source, target, coordinates, params or {}, seed, detail, method)
    _possible(policy, fit_file, delivery, shard_size, target)
    out = Path(out)
    prefix = url_prefix or ""
    if prefix and not prefix.endswith(("/", "=")):
        prefix += "/"
    encode = _encoder(target, target_options or {})
    job = Job(out, target, prompts, delivery, prefix, verify == "decode", encode, policy)
    job.outcomes, job.reread = source.after is not None, delivery == "inline"
    job.screen = screen if screen.reasons else None
    group = prompts[0].template.file.sample.group_size
    became: dict[str, str] = {}
    workers = workers or os.cpu_count() or 1

    def looked(number: int) -> None:
        if progress is not None:
            progress(Progress(number, 0, 0, source.count))

    cut = settle(lambda: selected(source, split, limit), val, dedup, together, split, seed, workers, looked)
    sieve = Sieve(cut, job.screen, on_likely)

    def samples() -> Iterator[Sample]:
        chosen = sieve(selected(source, split, limit)) if cut or sieve.screen else selected(source, split, limit)
        chosen = grouped(chosen, group) if group else chosen
        return _noted(chosen, became) if job.outcomes else chosen

    budget: Budget | None = None
    if fit_file is not None:
        budget = choose(assign(samples, job), job, min(fit_file, target.file_bytes.value), seed, workers)
        file_bytes = Limit(budget.file_bytes, target.file_bytes.source)
        job = replace(job, policy=budget.policy, target=replace(target, file_bytes=file_bytes))
    found = budget.report() if budget else None

    def planned() -> tuple[Iterator[Entry], Ahead[Task]]:
        tasks = Ahead(sized(assign(samples, job)))
        return plan(tasks, job, shard_size, one_file=budget is not None), tasks

    entries, tasks = planned()
    if dry_run:
        lines = outline(entries, job)
        if budget is not None:
            lines = [line | {"bytes_about": budget.estimated[line["shard"].rpartition("-")[0]]} for line in lines]
        read = sum(line["samples"] for line in lines)
        made = {"samples": {"read": read}, "bad_records": len(source.problems)}
        return Result(out, made, 0, [], False, lines, found)
    identity: dict[str, Any] = {
        "labels2chat": labels2chat.__version__,
        "source": {"uri": source.uri, "adapter": source.adapter, "fingerprint": source.fingerprint()},
        "template": _template_identity(templates),
        "target": {"name": target.name, "as_of": target.as_of, "shape": target.shape}
        | ({"options": target_options} if target_options else {}),
        "options": {
            "adapter": {key: _written(value) for key, value in sorted((options or {}).items())},
            "params": {key: value for prompt in prompts for key, value in prompt.setting.params.items()},
            "split": split,
            "limit": limit,
            "seed": seed,
            "coordinates": prompts[0].setting.convention.name,
            "method": method,
            "detail": detail,
            "images": delivery,
            "url_prefix": url_prefix,
            "verify": verify,
            "shard_size": shard_size,
            **({"prepare": msgspec.to_builtins(job.policy)} if job.policy != AS_IT_IS else {}),
        },
    }
    asked: dict[str, Any] = {"fit": fit_file, "as": pack, "val": val, "dedup": dedup, "together": together}
    asked |= {"on_likely": on_likely, "people_screen": people_screen}
    asked["screen_rules"] = digest([load_rules(screen_rules)]) if screen_rules is not None else None
    identity["options"] |= {key: value for key, value in asked.items() if value not in (None, _USUAL.get(key))}
    identity = clean(identity)
    crew = _crew(engine)  # not sooner: a source's library may have started threads
    make_folder(out)
    with locked(out):
        finished = take_up(out, identity, overwrite)
        try:
            reports, kept = _work(entries, tasks, finished, job, crew, workers, source.count, progress)
        except OutputExistsError:  # the same run of other data
            if not (overwrite and finished):
                raise
            start_over(out, identity)
            reports, kept = _work(*planned(), {}, job, crew, workers, source.count, progress)
        told = sieve.told() | ({"fit": found} if found else {})
        side_files = _side_files(target, pack, source)
        manifest = close(out, identity, source, reports, started, sieve.rejects, told, side_files)
        if source.after is not None:
            became |= {row["sample_id"]: row["code"] for row in sieve.rejects}
            for report in reports:
                became |= report.unwritten
            source.after(became)
    uploaded = [r for r in reports if on_likely != "quarantine" or r.split not in sieve.set_apart]
    warnings = [*_screened(uploaded, job), *_warnings(uploaded, job.target, manifest)]
    if budget is not None:
        warnings += _overflows(reports, budget)
    read, rejected = manifest["samples"]["read"], manifest["samples"]["rejected"]
    rejected += sum(report.reduced for report in reports)
    return Result(out, manifest, kept, warnings, rejected > allowed(read), budget=found)


def _work(
    entries: Iterable[Entry],
    tasks: Ahead[Task],
    finished: dict[str, Report],
    job: Job,
    crew: Crew,
    workers: int,
    count: int | None,
    progress: Callable[[Progress], None] | None,
) -> tuple[list[Report], int]:
    """Bring each entry to its report: the one that is there, or a new one. Reports come in the plan's order.

    While the workers are busy with one entry, the `tasks` of the next are fetched.
    """
    reports: dict[str, Report] = {}
    names: list[str] = []
    state = Progress(0, 0, 0, count)

    def pending() -> Iterator[Entry]:
        for entry in entries:
            names.append(entry.name)
            report = finished.get(entry.name)
            if report is not None and report.digest != entry.digest():
                raise other_data(entry.name)
            if report is not None and damage(job.out, report.files) is None and _has_pictures(report, job):
                reports[entry.name] = report
                tell(report.samples["read"], report.examples["written"], report.samples["rejected"])
            else:
                yield entry
        if gone := finished.keys() - set(names):
            raise other_data(min(gone))

    def other_data(shard: str) -> OutputExistsError:
        return OutputExistsError(
            f"{job.out} was begun from other data: the samples of {shard} have changed; "
            "choose another -o, or give --overwrite"
        )

    def tell(samples: int, examples: int, rejected: int) -> None:
        state.samples += samples
        state.examples += examples
        state.rejected += rejected
        if progress is not None:
            progress(state)

    def tell_and_fetch(samples: int, examples: int, rejected: int) -> None:
        tell(samples, examples, rejected)
        tasks.fetch(samples)

    made: list[Report] = []
    last: Future[Report] | None = None
    try:
        for entry in pending():
            shard = convert_shard(entry, job, crew, workers, tell_and_fetch, alone=not state.examples)
            if last is not None:
                made.append(last.result())
            last = shard
        if last is not None:
            made.append(last.result())
    except BaseException:
        if last is not None:
            wait([last])
        sweep(job.out)
        raise
    kept = len(reports)
    reports |= {report.shard: report for report in made}
    return [reports[name] for name in names], kept


def _crew(engine: str | None) -> Crew:
    """Choose the engine: processes where this process can be forked, threads elsewhere."""
    if engine == "processes" and not processes.usable():
        raise UsageError("--engine processes needs Linux, and no other thread in this process; take --engine threads")
    crew: Crew = (processes if engine == "processes" or (engine is None and processes.usable()) else threads).crew
    return crew


def _noted(samples: Iterable[Sample], became: dict[str, str]) -> Iterator[Sample]:
    """Note each sample as written: the reports then say which were not."""
    for sample in samples:
        became[sample.id] = "written"
        yield sample


def selected(source: Source, split: str | None, limit: int | None) -> Iterator[Sample]:
    """Yield the samples of a split, the first so many. Raises UsageError for a split that is not there."""
    seen: set[str] = set()
    taken = 0
    for sample in source:
        if sample.split not in seen:
            if not _SPLIT.fullmatch(sample.split):
                raise SourceError(f"split {sample.split!r} can't begin a file name; use letters, digits, . _ and -")
            seen.add(sample.split)
        if split is not None and sample.split != split:
            continue
        if limit is not None and taken >= limit:
            return
        taken += 1
        yield sample
    if not taken:
        if split is not None and seen:
            raise UsageError(f"--split {split}: the source has no such split{did_you_mean(split, seen)}")
        raise SourceError(f"{source.uri} has no samples")


def _warnings(reports: list[Report], target: Target, manifest: dict[str, Any]) -> list[str]:
    """Say what is no error and still matters before an upload."""
    found = []
    if not manifest["examples"]["written"]:
        codes = ", ".join(f"{code} ({count})" for code, count in manifest["rejects"]["by_code"].items())
        found.append(f"no example was written: {codes}; see rejects.jsonl")
    for made in (made for report in reports for made in report.files):
        tally = Tally(made.examples, made.images and made.examples, made.images, made.bytes)
        for problem in check_file(tally, target):
            found.append(f"{made.file}: {problem.message} [{problem.rule}]")
    return found


def _overflows(reports: list[Report], budget: Budget) -> list[str]:
    """Say which split did not fit one file after all, for what was measured was but a part of it."""
    sizes: dict[str, list[int]] = {}
    for made in (made for report in reports for made in report.files):
        sizes.setdefault(made.split, []).append(made.bytes)
    return [
        f"--fit: {split} came to {sum(parts):,} bytes in {len(parts)} files; one of {budget.file_bytes:,} was wanted: "
        f"give --fit {int(budget.file_bytes * 0.97 * budget.file_bytes / sum(parts))}"
        for split, parts in sizes.items()
        if len(parts) > 1
    ]


def _screened(reports: list[Report], job: Job) -> list[str]:
    """Say how many examples the provider may leave out; loudly where a job fails for it."""
    target, found = job.target, [report for report in reports if report.screened]
    loud = (ceiling_warning(report.shard, sum(report.screened.values()), target) for report in found)
    warnings = [warning for warning in loud if warning is not None]
    likely = sum(report.screened.get("likely", 0) for report in found)
    if likely and job.screen is not None:
        warnings.append(
            f"{likely:,} examples have labels of what {target.name} leaves out of the training "
            f"({', '.join(job.screen.reasons)}); `labels2chat screen` says which, --on-likely drop or quarantine takes "
            f"them out [{target.cite(target.excluded)}]"
        )
    return warnings


def load_mix(given: Template | str | Mapping[str, float]) -> list[tuple[Template, float]]:
    """Load a template, or a mix of them with their weights."""
    if isinstance(given, Template):
        return [(given, 1.0)]
    weights = {given: 1.0} if isinstance(given, str) else dict(given)
    if not weights or not all(weight > 0 for weight in weights.values()):
        raise UsageError("a mix of templates needs at least one, each with a weight above 0")
    templates = [(load_template(name), weight) for name, weight in weights.items()]
    if len(templates) > 1 and any(template.file.sample.group_size for template, _ in templates):
        raise UsageError("a template that groups samples (sample.group_size) can't be in a mix")
    return templates


def join_templates(
    templates: list[tuple[Template, float]],
    source: Source,
    target: Target,
    coordinates: str | None,
    params: dict[str, Any],
    seed: int,
    detail: str | None,
    method: str,
) -> list[Prompt]:
    """Join each template to the source; raises TemplateError where the source lacks what one requires."""
    known = {name for template, _ in templates for name in template.file.params}
    if len(templates) > 1 and (unknown := next((name for name in params if name not in known), None)):
        raise UsageError(f"none of the templates has a parameter {unknown!r}{did_you_mean(unknown, known)}")
    prompts = []
    for template, weight in templates:
        own = params if len(templates) == 1 else {k: v for k, v in params.items() if k in template.file.params}
        way = coordinate_table.convention(coordinates or template.file.coordinates or target.coordinates)
        setting = template.setting(source, way.name, own, seed, detail, method == "dpo")
        prompts.append(Prompt(template, setting, weight))
    return prompts


def _template_identity(templates: list[tuple[Template, float]]) -> dict[str, Any]:
    if len(templates) == 1:
        return {"name": templates[0][0].name, "sha256": templates[0][0].sha256}
    mix = [{"name": t.name, "sha256": t.sha256, "weight": weight} for t, weight in templates]
    digest = hashlib.sha256("".join(f"{row['sha256']} {row['weight']}\n" for row in mix).encode()).hexdigest()
    return {"name": "+".join(t.name for t, _ in templates), "sha256": digest, "mix": mix}


def _delivery(images: str | None, url_prefix: str | None, target: Target) -> str:
    delivery = images or ("url" if url_prefix and "url" in target.delivery else target.delivery[0])
    known_word("images", delivery, target.delivery)
    if delivery in AS_FILES and target.url_schemes.stated:
        if not url_prefix:
            raise UsageError(
                f"--images {delivery} for {target.name} needs --url-prefix: the address under which OUT will lie, "
                f"such as {target.schemes[0]}bucket/folder/"
            )
    elif delivery != "url" and url_prefix:
        raise UsageError("--url-prefix goes with --images url")
    if url_prefix and not url_prefix.startswith(target.schemes):
        raise UsageError(f"--url-prefix {url_prefix}: an address begins with {' or '.join(target.schemes)}")
    return delivery


def _possible(policy: Policy, fit_file: int | None, delivery: str, shard_size: int | None, target: Target) -> None:
    """Refuse what can't be done to images on this road."""
    if policy.reencode not in (None, "lossy") and policy.reencode not in target.formats:
        raise UsageError(f"--reencode {policy.reencode}: {target.name} takes {', '.join(target.formats.values)}")
    if delivery == "url" and policy != AS_IT_IS:
        raise UsageError("--images url sends the files as they are: images are prepared with --images inline")
    if delivery != "inline" and fit_file is not None:
        raise UsageError("--fit is for files that hold their images: give --images inline")
    if fit_file is not None and shard_size is not None:
        raise UsageError("--fit makes one file of each split: leave out --shard-size")


def _has_pictures(report: Report, job: Job) -> bool:
    return job.delivery not in AS_FILES or gone(job.out, report.files) is None


def _written(value: Any) -> str:
    """Write an adapter's option as the command line has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def known_word(option: str, value: str | None, known: Iterable[str]) -> None:
    """Raise UsageError for a word that an option doesn't take."""
    if value is not None and value not in known:
        raise UsageError(f"--{option} {value}{did_you_mean(value, known)}")


def _allowed_rejects(text: str | None) -> Callable[[int], float]:
    if text is None:
        return lambda read: read * 0.1 if read > 100 else float("inf")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not number >= 0:  # NaN is neither
        raise UsageError(f"--max-rejects {text}: give a number, or a share such as 5%")
    return (lambda read: read * number / 100) if text.endswith("%") else (lambda _: number)


def _encoder(target: Target, options: dict[str, str]) -> Callable[[Example], Sequence[Piece]]:
    """Find the shape's writer, and give it the options that it takes beside the example."""
    encode: Callable[..., Sequence[Piece]] = import_module(f"labels2chat.targets.{target.shape}").encode
    known = list(inspect.signature(encode).parameters)[1:]
    if unknown := next((name for name in options if name not in known), None):
        raise UsageError(f"the target {target.name} has no option {unknown!r}{did_you_mean(unknown, known)}")
    return partial(encode, **options) if options else encode


def _side_files(target: Target, pack: str | None, source: Source) -> SideFiles | None:
    """Find what the shape writes beside the lines, if it does, and what a pack does."""
    shape = import_module(f"labels2chat.targets.{target.shape}")
    own: SideFiles | None = getattr(shape, "side_files", None)
    if pack is None:
        return own

    def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
        found = own(out, manifest) if own is not None else {}
        pieces = import_module(f"labels2chat.packs.{pack}").pieces
        columns = shape.columns(manifest["options"]["method"])
        for row in manifest["shards"]:
            found[pack_of(row, pack)] = pieces(rows(out, row["file"], columns), columns)
        kept = (out / "README.md").is_file()  # it may have been written on by hand since
        text = (out / "README.md").read_bytes() if kept else card(manifest, pack, source.licenses)
        return found | {"README.md": [text]}

    return side_files


def _ready_to_pack(pack: str, delivery: str, target: Target) -> None:
    """Raise UsageError where `--as` can't be: for a target whose lines have no column of images in files."""
    known_word("as", pack, PACKS)
    able = [name for name in target_names() if _has_columns(load_target(name))]
    if not _has_columns(target):
        raise UsageError(f"--as {pack}: the lines of {target.name} have no column of images; take {', '.join(able)}")
    if delivery not in AS_FILES:
        raise UsageError(f"--as {pack} goes with --images files or link")
    packer = import_module(f"labels2chat.packs.{pack}")
    packer.ready()


def _has_columns(target: Target) -> bool:
    return hasattr(import_module(f"labels2chat.targets.{target.shape}"), "columns")
