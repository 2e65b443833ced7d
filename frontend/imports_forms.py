"""The mapping table of the imports page: rows of it out of a mapping, and a mapping out of what was posted."""

from collections.abc import Mapping as Posted
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from msgspec import UNSET

from events.imports.mapping import FIELDS, Mapping, parse_mapping

KINDS: Final[Posted[str, str | Promise]] = {
    "": _("as it is"),
    "text": _("text"),
    "number": _("number"),
    "boolean": _("yes or no"),
    "time": _("time"),
    "json": _("JSON"),
}


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One column of the file and where it goes; `target` is "" for one that is left out."""

    column: str
    target: str
    kind: str
    format: str
    zone: str


@dataclass(frozen=True, slots=True)
class MappingTable:
    """What the page shows: each column, and the constant type where no column has it."""

    rows: list[MappingRow]
    constant_type: str
    delimiter: str
    header: bool


def mapping_table(columns: list[str], mapping: Mapping) -> MappingTable:
    by_column = {
        rule.column: (target, rule) for target, rule in mapping.fields.items() if rule.column is not None
    }
    rows = []
    for column in dict.fromkeys(columns):
        target, rule = by_column.get(column, ("", None))
        kind, shape, zone = (rule.kind, rule.format, rule.zone) if rule else ("", "", "")
        rows.append(MappingRow(column, target, kind, shape, zone))
    constant = mapping.fields["type"].constant
    return MappingTable(rows, "" if constant is UNSET else str(constant), mapping.delimiter, mapping.header)


def posted_table(posted: QueryDict) -> MappingTable:
    """The table as it was filled in, to be corrected."""
    lists = (posted.getlist(name) for name in ("column", "target", "kind", "format", "zone"))
    rows = [MappingRow(*cells) for cells in zip(*lists, strict=False)]
    header = posted.get("header") != "no"
    return MappingTable(rows, posted.get("constant_type", ""), posted.get("delimiter") or ",", header)


def read_mapping(posted: QueryDict) -> Mapping:
    """The mapping that the table was filled in with. Raises InvalidMapping."""
    table = posted_table(posted)
    fields: dict[str, dict[str, str]] = {}
    for row in table.rows:
        if target := row.target.strip():
            name = target if target in FIELDS or target.startswith("data.") else f"data.{target}"
            rule = {
                "column": row.column,
                "type": row.kind,
                "format": row.format.strip(),
                "zone": row.zone.strip(),
            }
            fields[name] = {key: value for key, value in rule.items() if value or key == "column"}
    if (constant := table.constant_type.strip()) and "type" not in fields:
        fields["type"] = {"constant": constant}
    return parse_mapping({"fields": fields, "delimiter": table.delimiter, "header": table.header})
