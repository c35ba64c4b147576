"""Count tokens: of images by the providers' own rules, of text exactly or by an estimate, of whole examples."""

from labels2chat.tokens.count import Count, count_tokens, most_tokens
from labels2chat.tokens.image import FAMILIES, family, family_name, image_tokens, smart_resize
from labels2chat.tokens.text import ESTIMATE, TextCounter, text_counter

__all__ = [
    "ESTIMATE",
    "FAMILIES",
    "Count",
    "TextCounter",
    "count_tokens",
    "family",
    "family_name",
    "image_tokens",
    "most_tokens",
    "smart_resize",
    "text_counter",
]
