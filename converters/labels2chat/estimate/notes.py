"""What an estimate's numbers rest on, and what to look at before paying."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from labels2chat.estimate.prices import OLD, job_size
from labels2chat.estimate.result import Estimate
from labels2chat.estimate.tally import Tally
from labels2chat.target import Target
from labels2chat.tokens import family
from labels2chat.tokens.image import Cells


def notes(found: Estimate, tallies: Mapping[str, Tally], indication: bool) -> list[str]:
    """Say what was estimated, guessed or assumed."""
    said = []
    if indication:
        said.append(
            f"counted as {found.model} would: {found.target}'s models count text and images in their own ways, so take "
            "this for the order of magnitude"
        )
    if found.tokenizer == "estimate":
        said.append(
            "text is estimated (within some 10 % for English and for boxes, 25 % for other scripts); "
            "pip install 'labels2chat[tokens]' counts it exactly, with the vocabulary at hand"
        )
    rule = family(found.model)
    if isinstance(rule, Cells):
        said.append(
            f"{found.model} has a vocabulary of its own, so text is about; images are as its own processor resizes "
            f"them, to {rule.min_pixels:,} to {rule.max_pixels:,} pixels"
        )
    if found.total.drawn < found.total.units:
        said.append(
            f"scaled up from {found.total.drawn:,} of {found.total.units:,} {found.unit}; "
            "± holds 19 times of 20, and says nothing of what was estimated otherwise"
        )
    if found.epochs.source != "given":
        said.append(f"{found.epochs.number} epochs are a guess [{found.epochs.source}]; give --epochs")
    price = found.price
    if price is not None and price.as_of:
        text = f"${price.training:g} for a million tokens: {price.provider}, as of {price.as_of}"
        said.append(f"{text}{'; ' + price.note if price.note else ''} [{price.source}]")
    unbilled = [row.split for row in found.splits if not row.billed]
    if unbilled:
        said.append(f"not billed: {', '.join(unbilled)}; the training file is")
    unmeasured = sum(tally.unmeasured for tally in tallies.values())
    if unmeasured:
        text = "of those that were drawn " if found.sample is not None else ""
        said.append(f"{unmeasured:,} images {text}have no known size and are counted with the least that one costs")
    if found.image_tokens_least < found.total.image_tokens:
        said.append(
            "images without a detail, or with auto, are counted as high, for nobody documents which it is: "
            f"at least {found.image_tokens_least:,} image tokens"
        )
    if any(tally.pairs for tally in tallies.values()):
        said.append("a preference pair is counted with both answers; what is billed of it is not documented")
    return said


def warnings(found: Estimate, target: Target, today: date, files: bool) -> list[str]:
    """Say what should be put right first."""
    said = []
    ceiling = found.ceiling
    if found.total.over_ceiling and ceiling is not None:
        fate = "what is over it is cut off, the answer first" if files else "`convert` rejects them"
        text = f"{found.total.over_ceiling:,} examples have more than {ceiling.tokens:,} tokens: {fate}"
        said.append(f"{text} [{ceiling.source}]")
    price = found.price
    if price is None:
        said.append(f"no price for training {found.model} at {found.target} is known: give --price")
    elif (age := price.age(today)) is not None and age > OLD:
        said.append(f"the price is {age} days old; look it up and give --price")
    size = job_size(found.target)
    passes = found.epochs.number * sum(row.tokens for row in found.splits if row.billed)
    if size is not None and passes > size.tokens:
        said.append(
            f"{passes:,} tokens in all epochs; a job takes {size.tokens:,} [{size.source} (as of {size.as_of})]"
        )
    if files and found.left_out:
        count = sum(found.left_out.values())
        said.append(f"{count:,} lines are no examples and were not counted; `labels2chat validate` says why")
    ending = target.warning(today)
    if ending is not None:
        said.append(ending)
    return said
