"""Look at the images behind http(s) addresses: whether anybody can fetch them, and what their first bytes say."""

from labels2chat.urls.checker import UrlChecker

__all__ = ["UrlChecker"]
