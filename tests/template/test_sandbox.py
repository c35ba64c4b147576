"""Templates are files that people pass around: code stays out, and no text grows without end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from labels2chat.errors import RecordError, TemplateError
from labels2chat.template.draw import draw, order
from labels2chat.template.load import sandbox as make_sandbox
from labels2chat.template.sandbox import MAX_REPEAT, MAX_TEXT

Make = Callable[..., Any]

PAYLOADS = [
    # the way to code (CVE-2024-56201, CVE-2024-56326, CVE-2025-27516 and their kin)
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ '' | attr('__class__') }}",
    "{{ '' | attr('format') }}",
    "{{ ['__class__'] | map('attr') | list }}",
    "{{ [''] | map(attribute='__class__') | list | first }}",
    "{{ labels.__init__.__globals__ }}",
    "{{ image.__class__ }}",
    "{{ lipsum }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner }}",
    "{{ namespace }}",
    "{{ dict(a=1) }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ range.__self__ }}",
    "{{ (1).__add__(2) }}",
    "{{ _draw }}",
    "{{ _convention }}",
    # other files
    "{% include '/etc/passwd' %}",
    "{% include 'detect.yaml' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    # formats
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(image) }}",
    "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "{{ '{:>500000000}'.format(1) }}",
    "{% set f = '{:>500000000}'.format %}{{ f(1) }}",
    "{{ '%s' % 1 }}",
    "{{ '%500000000d' % 1 }}",
    "{{ '%s' | format(1) }}",
    # changes to what other samples see
    "{{ classes.append('x') }}",
    "{{ classes.clear() }}",
    "{{ params.update({'a': 1}) }}",
    "{{ counts.update(a=1) }}",
    "{{ image.pop('width') }}",
    # growth
    "{{ 'a' * 500000000 }}",
    "{{ 500000000 * 'a' }}",
    "{{ [0] * 500000000 }}",
    "{{ ('a',) * 500000000 }}",
    "{{ ('a' * 10000) * 10000 }}",
    "{{ 'a'.center(500000000) }}",
    "{{ 'a'.ljust(500000000) }}",
    "{{ 'a'.rjust(500000000) }}",
    "{{ 'a'.zfill(500000000) }}",
    "{{ '\t'.expandtabs(500000000) }}",
    "{{ 'a' | center(500000000) }}",
    "{{ 'a' | indent(500000000) }}",
    "{{ 'a'.encode().center(500000000) }}",
    "{{ (1).to_bytes(500000000, 'big') }}",
    "{{ ('a' * 10000).replace('a', 'b' * 10000) }}",
    "{{ ('a' * 10000) | replace('a', 'b' * 10000) }}",
    "{{ ('a' * 10000).join('b' * 10000) }}",
    "{{ 'a'.translate({97: 'b' * 10000}) }}",
    "{{ [1] | batch(500000000, 'x') | list }}",
    "{{ [1] | slice(500000000) | list }}",
    "{% set x = 'a' * 10000 %}" + "{% set x = x + x %}" * 20 + "{{ x | length }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 2 ** 1000000000 }}",
    "{{ (10 ** 6) ** 9 }}",
    "{{ range(1000000000) | list }}",
    "{{ range(0, 1000000000, 3) | length }}",
    "{% for i in range(1000000000) %}x{% endfor %}",
    "{% for i in range(10000) %}{{ 'a' * 1000 }}{% endfor %}",
    "{% for i in range(10000) %}{% for j in range(10000) %}xxxxxxxxxx{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    # chance from elsewhere
    "{{ classes | random }}",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_refused(payload: str, make_template: Make) -> None:
    """At once, at loading, with the file's name: neither a result nor an exception that is not ours."""
    started = time.process_time()
    with pytest.raises(TemplateError, match=r"^t\.yaml:1:\d+: "):
        make_template(assistant=payload)
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if p.startswith("{{") and p.count("{{") == 1])
def test_refused_as_an_expression(payload: str, make_template: Make) -> None:
    with pytest.raises(TemplateError, match=r"^t\.yaml:1:\d+: "):
        make_template(assistant={"json": payload[2:-2].strip()})


@pytest.mark.parametrize(
    "payload", ["{{ '%s' ~ '{0.__class__}' ~ '{{ 7*7 }}' }}", "{% raw %}{{ ''.__class__ }}{% endraw %}"]
)
def test_what_only_looks_bad_is_text(payload: str, make_template: Make) -> None:
    make_template(assistant=payload)


def test_labels_can_open_nothing(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    """Every payload as a label: it comes out as it went in."""
    template = make_template(assistant="{{ class }}", requires=["class"])
    for payload in PAYLOADS:
        (example,) = template.render(make_sample(labels=[payload]), make_setting(payload))
        assert said(example.messages) == payload


def test_a_loop_over_the_labels_is_capped(make_template: Make, make_sample: Make, make_setting: Make) -> None:
    """What is small for the two labels of the rehearsal can be large for a real image."""
    template = make_template(
        assistant="{% for a in labels %}{% for b in labels %}{{ 'x' * 1000 }}{% endfor %}{% endfor %}"
    )
    assert len(template.render(make_sample(*["cat"] * 31), make_setting())) == 1
    with pytest.raises(RecordError, match="longer than") as caught:
        template.render(make_sample(*["cat"] * 32), make_setting())
    assert caught.value.code == "template.failed"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ 'a' * 3 }}", "aaa"),
        ("{{ 3 * 'a' }}", "aaa"),
        ("{{ ([1] * 3) | length }}", "3"),
        (f"{{{{ ('a' * {MAX_REPEAT}) | length }}}}", str(MAX_REPEAT)),
        ("{{ 'a' * -1 }}.", "."),
        ("{{ 6 * 7 }}", "42"),
        ("{{ 2 ** 8 }}", "256"),
        ("{{ 10 ** 6 }}", "1000000"),
        ("{{ 2 ** -1 }}", "0.5"),
        ("{{ 7 % 3 }}", "1"),
        ("{{ 'a' + 'b' }}", "ab"),
        ("{{ [1] + [2] }}", "[1, 2]"),
        ("{{ 1 + 2 }}", "3"),
        ("{{ range(3) | list }}", "[0, 1, 2]"),
        (f"{{{{ range({MAX_REPEAT}) | length }}}}", str(MAX_REPEAT)),
        ("{{ 'a_b_c' | replace('_', ' ') }}", "a b c"),
        ("{{ 'a_b_c' | replace('_', ' ', 1) }}", "a b_c"),
        ("{{ 105 | replace('0', 'x') }}", "1x5"),
        ("{{ ['a', 'b'] | join('-') }}", "a-b"),
        ("{{ 'Ab'.lower() }}{{ 'ab'.title() }}{{ 'ab'.split('b') }}", "abAb['a', '']"),
        ("{{ {'b': 1, 'a': [true, none]} | tojson }}", '{"b":1,"a":[true,null]}'),
        ("{{ 'é🐈' | tojson }}", '"é🐈"'),
        ("{{ '<b>' }}{{ '<b>' | e }}", "<b>&lt;b&gt;"),
        ("{{ ['cat', 'mouse'] | map('plural') | and_list }}", "cats and mice"),
        ("{{ ['cat', 'owl'] | map('a') | and_list('or') }}", "a cat or an owl"),
        ("{{ 'hello' | sentence }}", "Hello."),
        ("{{ [3, 1, 2] | sort | first }}{{ [3, 1] | max }}", "13"),
    ],
)
def test_what_works(text: str, value: str) -> None:
    assert make_sandbox().from_string(text).render() == value


def test_the_limits_are_what_they_are() -> None:
    assert (MAX_TEXT, MAX_REPEAT) == (1_000_000, 10_000)


# chance


def test_draw_is_sha256_of_its_parts() -> None:
    digest = int("b3feb302f8b8da798143ab509afd775bef9f5f359f15b7a73895af0ce48d758b", 16)
    assert draw(0, "t", "s", "") == digest / 2**256


def test_draw_takes_any_text() -> None:
    assert draw("caf\udce9") != draw("caf\udce8")


def test_order_is_a_shuffle() -> None:
    items = list(range(50))
    assert order(items, "a") == order(items, "a")
    assert order(items, "a") != order(items, "b")
    assert sorted(order(items, "a")) == items
    assert order([], "a") == []
    assert order(iter("abc"), 1) == order("abc", 1)
