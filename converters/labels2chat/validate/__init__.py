"""Hold finished files against a target's rules, whoever made them, and mend what can be mended without guessing."""

from labels2chat.validate.finding import Finding, Verdict
from labels2chat.validate.run import validate

__all__ = ["Finding", "Verdict", "validate"]
