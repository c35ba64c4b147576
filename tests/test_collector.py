"""The collector is as it was when the work is done, however that ended."""

from __future__ import annotations

import gc

import pytest

from labels2chat.collector import calm, seldom


def test_seldom_comes_back_to_what_was() -> None:
    before = gc.get_threshold()
    with seldom():
        assert gc.get_threshold() == (500_000, *before[1:])
    assert gc.get_threshold() == before
    with pytest.raises(KeyError), seldom():
        raise KeyError
    assert gc.get_threshold() == before


@pytest.mark.parametrize("enabled", [True, False])
def test_calm_leaves_what_it_found(enabled: bool) -> None:
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with calm():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()
