"""Hold an example, and a whole file, against a target's rules. Each finding quotes the rule's source."""

from labels2chat.check.calls import check_calls
from labels2chat.check.example import check
from labels2chat.check.picture import check_bytes
from labels2chat.check.whole import Tally, check_file

__all__ = ["Tally", "check", "check_bytes", "check_calls", "check_file"]
