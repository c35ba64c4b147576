"""A whole run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.collector import seldom
from labels2chat.engines import Crew, processes, threads
from labels2chat.errors import OutputExistsError, SourceError, UsageError, did_you_mean
from labels2chat.files import locked
from labels2chat.images import AS_IT_IS, Policy
from labels2chat.road.ahead import Ahead
from labels2chat.road.asked import allowed_rejects, check_images, check_pack, delivery_of, encoder_of, known_word
from labels2chat.road.assign import assign
from labels2chat.road.beside import side_files
from labels2chat.road.budget import Budget, choose
from labels2chat.road.identity import identity, written
from labels2chat.road.job import Job
from labels2chat.road.memory import open_source
from labels2chat.road.output import close, leave, make_folder, start_over, take_up
from labels2chat.road.pictures import AS_FILES, gone
from labels2chat.road.plan import outline, plan, sized
from labels2chat.road.prompts import join_templates, load_mix
from labels2chat.road.shard import Progress, convert_shard
from labels2chat.road.sieve import OnLikely, Sieve, settle
from labels2chat.road.staff import Staff
from labels2chat.road.warnings import overflows, warnings_of
from labels2chat.screen import load_rules, open_screen
from labels2chat.shards import Entry, Report, Task, damage, digest, sweep
from labels2chat.target import Limit, Target, load_target
from labels2chat.template import Template, grouped
from labels2chat.types import Sample, Source, bad_split

ENGINES = ("processes", "threads")


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
        workers: how many prepare samples; as many as it takes where None, up to one per processor.
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
    delivery = delivery_of(images, url_prefix, target)
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
    allowed = allowed_rejects(max_rejects)
    known_word("engine", engine, ENGINES)
    if pack is not None:
        check_pack(pack, delivery, target)
    source = open_source(source, options)
    if delivery == "url" and not url_prefix and not any(image.url for s in islice(source, 1) for image in s.images):
        raise UsageError("--images url needs --url-prefix: the public address under which the image files lie")
    prompts = join_templates(templates, source, target, coordinates, params or {}, seed, detail, method)
    check_images(policy, fit_file, delivery, shard_size, target)
    out = Path(out)
    prefix = url_prefix or ""
    if prefix and not prefix.endswith(("/", "=")):
        prefix += "/"
    encode = encoder_of(target, target_options or {})
    job = Job(out, target, prompts, delivery, prefix, verify == "decode", encode, policy)
    job.outcomes, job.reread = source.after is not None, delivery == "inline"
    job.screen = screen if screen.reasons else None
    group = prompts[0].template.file.sample.group_size
    became: dict[str, str] = {}
    staff = Staff(workers)

    def looked(number: int) -> None:
        if progress is not None:
            progress(Progress(number, 0, 0, source.count))

    cut = settle(lambda: selected(source, split, limit), val, dedup, together, split, seed, staff.most, looked)
    sieve = Sieve(cut, job.screen, on_likely)

    def samples() -> Iterator[Sample]:
        chosen = sieve(selected(source, split, limit)) if cut or sieve.screen else selected(source, split, limit)
        chosen = grouped(chosen, group) if group else chosen
        return _noted(chosen, became) if job.outcomes else chosen

    budget: Budget | None = None
    if fit_file is not None:
        budget = choose(assign(samples, job), job, min(fit_file, target.file_bytes.value), seed, staff.most)
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
    about = identity(
        source,
        templates,
        target,
        target_options or {},
        {
            "adapter": {key: written(value) for key, value in sorted((options or {}).items())},
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
        },
        {
            "prepare": msgspec.to_builtins(job.policy) if job.policy != AS_IT_IS else None,
            "fit": fit_file,
            "as": pack,
            "val": val,
            "dedup": dedup,
            "together": together,
            "on_likely": on_likely,
            "people_screen": people_screen,
            "screen_rules": digest([load_rules(screen_rules)]) if screen_rules is not None else None,
        },
    )
    crew = _crew(engine)  # not sooner: a source's library may have started threads
    make_folder(out)
    with locked(out):
        finished = take_up(out, about, overwrite)
        try:
            reports, kept = _work(entries, tasks, finished, job, crew, staff, source.count, progress)
        except OutputExistsError:  # the same run of other data
            if not (overwrite and finished):
                raise
            start_over(out, about)
            reports, kept = _work(*planned(), {}, job, crew, staff, source.count, progress)
        told = {"notes": source.notes} | sieve.told() | ({"fit": found} if found else {})
        beside = side_files(target, pack, source)
        manifest = close(out, about, source, reports, started, sieve.rejects, told, beside)
        if source.after is not None:
            became |= {row["sample_id"]: row["code"] for row in sieve.rejects}
            for report in reports:
                became |= report.unwritten
            source.after(became)
    uploaded = [r for r in reports if on_likely != "quarantine" or r.split not in sieve.set_apart]
    warnings = warnings_of(uploaded, job, manifest) + (overflows(reports, budget) if budget is not None else [])
    read, rejected = manifest["samples"]["read"], manifest["samples"]["rejected"]
    rejected += sum(report.reduced for report in reports)
    return Result(out, manifest, kept, warnings, rejected > allowed(read), budget=found)


def _work(
    entries: Iterable[Entry],
    tasks: Ahead[Task],
    finished: dict[str, Report],
    job: Job,
    crew: Crew,
    staff: Staff,
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
            shard = convert_shard(entry, job, crew, staff, tell_and_fetch, alone=not state.examples)
            if last is not None:
                made.append(last.result())
            last = shard
        if last is not None:
            made.append(last.result())
    except BaseException:
        if last is not None:
            wait([last])
        sweep(job.out)
        leave(job.out)
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
            if fault := bad_split(sample.split):
                raise SourceError(fault)
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
        raise SourceError(f"{source.uri} has no samples{source.lost()}")


def _has_pictures(report: Report, job: Job) -> bool:
    return job.delivery not in AS_FILES or gone(job.out, report.files) is None
