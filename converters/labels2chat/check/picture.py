"""Hold one image against a target's rules."""

from __future__ import annotations

from labels2chat.addresses import why_not_public
from labels2chat.target import Target
from labels2chat.types import Message, Picture, Problem


def check_picture(
    picture: Picture, message: Message, where: str, target: Target, problems: list[Problem], private: bool = False
) -> None:
    """Add what is wrong with an image: its place, its detail, its address or its bytes."""
    if message.role not in target.image_roles:
        text = f"an image in a message of role {message.role!r}; images go into {', '.join(target.image_roles.values)}"
        problems.append(Problem("image.role", text, where, target.cite(target.image_roles)))
    if picture.detail is not None and picture.detail not in target.detail:
        text = f"detail {picture.detail!r} is not one of {', '.join(target.detail.values)}"
        problems.append(Problem("image.detail", text, where, target.cite(target.detail)))
    if picture.url is not None:
        rule = target.cite(target.formats) if target.formats.stated else ""
        if "url" not in target.delivery:
            problems.append(Problem("image.url", f"{target.name} takes no URLs", where, rule))
        elif not picture.url.lower().startswith(target.schemes):
            text = f"{target.name} takes addresses that begin with {' or '.join(target.schemes)}: {picture.url[:60]!r}"
            rule = target.cite(target.url_schemes) if target.url_schemes.stated else ""
            problems.append(Problem("image.url", text, where, rule))
        elif not private and picture.url[:4].lower() == "http" and (reason := why_not_public(picture.url)):
            problems.append(Problem("image.url", f"nobody can fetch {picture.url[:200]!r}: {reason}", where, rule))
    if picture.format:  # else nobody looked at it
        check_bytes(picture, where, target, problems)


def check_bytes(picture: Picture, where: str, target: Target, problems: list[Problem]) -> None:
    """Add what is wrong with the image itself: format, colour mode, size."""
    if picture.format not in target.formats:
        text = f"format {picture.format} is not one of {', '.join(target.formats.values)}"
        problems.append(Problem("image.format", text, where, target.cite(target.formats)))
    elif picture.mode and picture.mode not in target.modes:
        text = f"colour mode {picture.mode} is not one of {', '.join(target.modes.values)}"
        problems.append(Problem("image.mode", text, where, target.cite(target.modes)))
    if picture.size > target.image_bytes.value:
        text = f"{picture.size:,} bytes; at most {target.image_bytes.value:,} are taken"
        problems.append(Problem("image.too_large", text, where, target.cite(target.image_bytes)))
