"""The order of things: choose units, count them, scale up, price."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from labels2chat.errors import SourceError, UsageError
from labels2chat.estimate.dataset import Dataset
from labels2chat.estimate.draw import drawn
from labels2chat.estimate.histogram import lengths
from labels2chat.estimate.lines import Files
from labels2chat.estimate.meter import RULES, Meter
from labels2chat.estimate.notes import notes, warnings
from labels2chat.estimate.prices import Price, own_price, price_of
from labels2chat.estimate.result import BigExample, Ceiling, Epochs, Estimate, Row
from labels2chat.estimate.tally import BIGGEST, Tally
from labels2chat.estimate.unit import Stock
from labels2chat.images import AS_IT_IS, Policy
from labels2chat.road.dry import dry_run
from labels2chat.target import Target, load_target
from labels2chat.template import Template
from labels2chat.tokens import FAMILIES, family, text_counter
from labels2chat.types import Sample, Source

VALIDATION = frozenset(("val", "valid", "validation", "dev", "eval", "test"))
"""Splits that are not trained on where there are others, as what `convert` quarantined isn't; providers bill the
training file."""
_EPOCHS = 3
_EXAMPLES = (100, 25_000)
_MOST_EPOCHS = 25
COOKBOOK = "https://github.com/openai/openai-cookbook/blob/main/examples/Chat_finetuning_data_prep.ipynb"


def estimate(
    source: Source | Iterable[Sample] | str | Path | Sequence[str | Path],
    template: Template | str | Mapping[str, float] | None = None,
    target: Target | str | None = None,
    *,
    model: str | None = None,
    epochs: int | None = None,
    price: float | None = None,
    sample: int | None = None,
    seed: int = 0,
    split: str | None = None,
    limit: int | None = None,
    options: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    coordinates: str | None = None,
    detail: str | None = None,
    method: str = "sft",
    policy: Policy = AS_IT_IS,
    today: date | None = None,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> Estimate:
    """Count the tokens of a training, and what it costs.

    Args:
        source: with a template what `convert` takes; without one a JSONL file, a folder of them, or several.
        template: as for `convert`.
        target: whose ceiling and prices count; a folder's own where None, else openai.
        model: one of `tokens.FAMILIES`, a dated snapshot of one, or a fine-tuned one; the target's where None.
        epochs: the number that OpenAI's cookbook guesses where None.
        price: US dollars for a million training tokens; prices.yaml's where None.
        sample: count so many samples or lines of each split only, at least 2, and scale up.
        seed: of templates' choices, as for `convert`, and of the sample.
        split: count this split only.
        limit, options, params, coordinates, detail, method, policy: as for `convert`; they go with a template.
        today: to tell whether a price is old; the clock's where None.
        progress: called with (units counted, how many there are or None).

    Raises:
        UsageError, SourceError, TemplateError, TargetError.
    """
    for name, number, least in (("epochs", epochs, 1), ("sample", sample, 2), ("limit", limit, 1)):
        if number is not None and number < least:
            raise UsageError(f"{name}={number}: give a number from {least} on")
    if price is not None and not 0 <= price < float("inf"):
        raise UsageError(f"price={price}: give US dollars for a million tokens")
    rules = load_target(target) if isinstance(target, str) else target
    stock: Stock[Any]
    if template is None:
        given = {"limit": limit, "options": options, "params": params, "coordinates": coordinates, "detail": detail}
        extra = [name for name, value in given.items() if value] + ["method"] * (method != "sft")
        if extra:
            raise UsageError(f"{extra[0]} goes with a template: a finished file is as it is")
        files = Files(_paths(source), rules, split)
        stock, rules = files, files.target
    else:
        rules = rules or load_target("openai")
        if isinstance(source, list | tuple) and source and isinstance(source[0], str | Path):
            if len(source) > 1:
                raise UsageError("with a template there is one source")
            source = source[0]
        dataset: Any = os.fspath(source) if isinstance(source, Path) else source
        run = dry_run(
            dataset,
            template,
            rules,
            options=options,
            params=params,
            split=split,
            limit=limit,
            seed=seed,
            coordinates=coordinates,
            detail=detail,
            method=method,
            policy=policy,
        )
        stock = Dataset(run)
    named = model or rules.tokens_of
    family(named)
    counter = text_counter()
    tallies, totals = _count(stock, Meter(named, counter), rules, sample, seed, template is None, progress)
    if not any(tally.seen for tally in tallies.values()):
        raise SourceError(_nothing(tallies, stock.unit))
    found = own_price(price) if price is not None else price_of(rules.name, named)
    trained = [name for name in tallies if _is_trained(name)] or list(tallies)
    rows = {name: _row(name, [(tally, totals[name])], name in trained) for name, tally in tallies.items()}
    passes = Epochs(epochs, "given") if epochs else _guess(sum(rows[name].examples for name in trained))
    total = _row("total", [(tally, totals[name]) for name, tally in tallies.items()], True)
    for row in rows.values():
        _bill(row, row.tokens if row.billed else 0, row.plus_minus if row.billed else 0, passes, found)
    paid = _row("billed", [(tallies[name], totals[name]) for name in trained], True)
    _bill(total, paid.tokens, paid.plus_minus, passes, found)
    scales = {name: _scale(tally, totals[name]) for name, tally in tallies.items()}
    counts: Counter[int] = Counter()
    for name, tally in tallies.items():
        for tokens, number in tally.lengths.items():
            counts[tokens] += number * scales[name]  # type: ignore[assignment]
    biggest = sorted(((big, name) for name, tally in tallies.items() for big in tally.biggest), key=_by_size)
    least = round(sum(tally.images_least * scales[name] for name, tally in tallies.items()))
    limit_of = rules.tokens_per_example
    indication = model is None and not limit_of.stated
    sure = all(tally.exact and not tally.unmeasured for tally in tallies.values()) and least == total.image_tokens
    result = Estimate(
        model=named,
        target=rules.name,
        unit=stock.unit,
        tokenizer=counter.name,
        exact=sure and sample is None and not indication,
        sample=sample,
        epochs=passes,
        price=found,
        ceiling=Ceiling(limit_of.value, rules.cite(limit_of)) if limit_of.stated else None,
        total=total,
        splits=list(rows.values()),
        details=_details(tallies, scales),
        image_tokens_least=least,
        lengths=lengths(counts),
        biggest=[BigExample(b.place, name, b.tokens, b.text, b.images, b.pictures) for b, name in biggest[:BIGGEST]],
        left_out=_left_out(tallies, scales),
    )
    result.notes = notes(result, tallies, indication)
    result.warnings = warnings(result, rules, today or date.today(), template is None)
    return result


def _is_trained(split: str) -> bool:
    return split.lower() not in VALIDATION and split != "quarantine" and not split.startswith("quarantine-")


def _paths(source: Any) -> list[Path]:
    """Read a source as paths of files."""
    given = [source] if isinstance(source, str | Path) else source
    if isinstance(given, list | tuple) and given and all(isinstance(path, str | Path) for path in given):
        paths = [Path(path) for path in given]
        for path in paths:
            if not path.exists() and ":" in str(path):
                raise UsageError(f"{path} is a dataset: say with which template it is to be estimated (-t)")
            if path.suffix.lower() in (".json", ".yaml", ".yml", ".parquet", ".csv"):
                raise UsageError(f"{path} is no JSONL file; for a dataset, say with which template (-t)")
            if path.is_dir() and not any(path.glob("*.jsonl")) and not (path / "manifest.json").exists():
                raise UsageError(f"{path} holds no .jsonl files; for a dataset, say with which template (-t)")
        return paths
    raise UsageError("a dataset needs a template to be estimated with")


def _count(
    stock: Stock[Any],
    meter: Meter,
    target: Target,
    sample: int | None,
    seed: int,
    cut: bool,
    progress: Callable[[int, int | None], None],
) -> tuple[dict[str, Tally], Counter[str]]:
    """Count the units, or so many of each split, in their order; return the splits' sums and their sizes."""
    tallies: dict[str, Tally] = {}
    totals: Counter[str] = Counter()
    count = stock.count
    handles: Iterable[tuple[str, str, Any]] = stock.handles(sample is None)
    if sample is not None:
        handles, totals = drawn(handles, sample, seed)
        count = len(handles)
    for number, (split, _, handle) in enumerate(handles, 1):
        tallies.setdefault(split, Tally()).add(stock.open(handle), meter, target.tokens_per_example.value, cut)
        progress(number, count)
    if sample is None:
        totals.update({name: tally.units for name, tally in tallies.items()})
    return tallies, totals


def _nothing(tallies: dict[str, Tally], unit: str) -> str:
    """Say why there is no example at all."""
    codes = sum((tally.left_out for tally in tallies.values()), Counter[str]())
    why = ", ".join(f"{code} ({count:,})" for code, count in sorted(codes.items())) or f"there are no {unit}"
    next_step = "`labels2chat validate` says why; for a dataset, say with which template (-t)"
    return f"no example to count: {why}" + (f"; {next_step}" if codes and unit == "lines" else "")


def _scale(tally: Tally, units: int) -> float:
    return units / tally.units


def _row(name: str, parts: list[tuple[Tally, int]], billed: bool) -> Row:
    """Add up splits, each scaled to its size."""

    def added(what: str) -> int:
        scaled: float = sum(getattr(tally, what) * _scale(tally, units) for tally, units in parts)
        return round(scaled)

    error = sum(tally.error(units) ** 2 for tally, units in parts) ** 0.5
    return Row(
        split=name,
        units=sum(units for _, units in parts),
        drawn=sum(tally.units for tally, _ in parts),
        examples=added("examples"),
        images=added("pictures"),
        text_tokens=added("text"),
        image_tokens=added("images"),
        overhead_tokens=added("overhead"),
        tokens=added("tokens"),
        plus_minus=round(2 * error),
        over_ceiling=added("over"),
        billed=billed,
        cost_per_epoch=None,
        cost=None,
        cost_plus_minus=None,
    )


def _bill(row: Row, tokens: int, plus_minus: int, epochs: Epochs, price: Price | None) -> None:
    """Work out what so many tokens cost in each epoch and in all."""
    if price is not None:
        row.cost_per_epoch = tokens * price.training / 1e6
        row.cost = row.cost_per_epoch * epochs.number
        row.cost_plus_minus = plus_minus * price.training / 1e6 * epochs.number


def _guess(examples: int) -> Epochs:
    """Guess the number of epochs as OpenAI's cookbook does: 3, within bounds for examples seen in all."""
    least, most = _EXAMPLES
    number = _EPOCHS
    if 0 < examples * _EPOCHS < least:
        number = min(_MOST_EPOCHS, least // examples)
    elif examples * _EPOCHS > most:
        number = max(1, most // examples)
    return Epochs(number, COOKBOOK)


def _details(tallies: dict[str, Tally], scales: dict[str, float]) -> dict[str, dict[str, int]]:
    """Say what each model would make of the images, at either detail."""
    found = {}
    for name, rule in FAMILIES.items():
        at = RULES.index(rule)
        found[name] = {
            "low": round(sum(tally.low[at] * scales[split] for split, tally in tallies.items())),
            "high": round(sum(tally.high[at] * scales[split] for split, tally in tallies.items())),
        }
    return found


def _left_out(tallies: dict[str, Tally], scales: dict[str, float]) -> dict[str, int]:
    codes = sorted({code for tally in tallies.values() for code in tally.left_out})
    return {code: round(sum(t.left_out[code] * scales[name] for name, t in tallies.items())) for code in codes}


def _by_size(row: tuple[Any, str]) -> tuple[int, str, int]:
    return -row[0].tokens, row[1], -row[0].order
