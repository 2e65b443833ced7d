"""Figures and times as the page shows them first; static/frontend/js/format.js says the same in the browser."""

from datetime import UTC, datetime
from typing import Literal

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()
NOTHING = "\N{EN DASH}"
Missing = Literal[""]  # what a template makes of a variable that is not there


@register.filter
def integer(value: float | Missing | None) -> str:
    return (
        NOTHING
        if value is None or value == ""
        else number_format(round(value), decimal_pos=0, force_grouping=True)
    )


@register.filter
def rate(value: float | Missing | None) -> str:
    """Events per second: one decimal below ten, where it matters."""
    if value is None or value == "":
        return NOTHING
    return number_format(value, decimal_pos=0 if value >= 10 or value == 0 else 1, force_grouping=True)


@register.filter
def measure(value: float | Missing | None) -> str:
    """Any number, to four significant digits or as a whole number."""
    if value is None or value == "":
        return NOTHING
    if value == round(value) and abs(value) < 1e15:
        return number_format(int(value), force_grouping=True)
    return number_format(float(f"{value:.4g}"), force_grouping=True)


@register.filter
def instant(value: datetime | None) -> SafeString:
    """A time element in UTC with its date, for what may be weeks old."""
    if value is None:
        return format_html("{}", NOTHING)
    shown = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}">{}</time>',
        shown.isoformat(timespec="milliseconds"),
        f"{shown:%Y-%m-%d %H:%M:%S}",
    )


@register.filter
def percent(value: float | Missing | None) -> str:
    """A share of one; never 100 before it is whole."""
    return NOTHING if value is None or value == "" else f"{int(value * 100)} %"


@register.filter
def moment(value: str, style: str = "clock") -> SafeString:
    """A time element in UTC, which the page's script turns to the reader's zone."""
    shape = {"clock": "%H:%M:%S", "minute": "%H:%M"}[style]
    if not value:
        return format_html('<time data-style="{}"></time>', style)
    shown = datetime.fromisoformat(value).strftime(shape)
    return format_html('<time datetime="{}" data-style="{}">{}</time>', value, style, shown)
