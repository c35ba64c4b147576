"""Say what a provider may leave out of the training, before it does.

    rules    screening.yaml and the user's own table     labels   what a sample's labels say
    pixels   what an image looks like                    report   a whole dataset

Three levels: certain (the image can't be used at all), likely (a label names what the provider's guide excludes) and
possible (a guess). Nobody but the provider knows what it will decide.
"""

from labels2chat.screen.labels import Hit, Screen
from labels2chat.screen.report import Flagged, ceiling_warning, open_screen, screen
from labels2chat.screen.rules import Level, Rule, Rules, load_rules

__all__ = [
    "Flagged",
    "Hit",
    "Level",
    "Rule",
    "Rules",
    "Screen",
    "ceiling_warning",
    "load_rules",
    "open_screen",
    "screen",
]
