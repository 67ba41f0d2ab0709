"""One finding: how bad it is, what was found, what to do."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, WRONG = "ok", "warning", "wrong"


@dataclass(frozen=True)
class Row:
    """A line of the checkup's table.

    Attributes:
        state: ok; warning (it works, but look at it); wrong (recording or deployment would be refused, or be bad).
        what: the field, or the part of the machine.
        found: in words.
        to_do: in words; empty where there is nothing to do.
    """

    state: str
    what: str
    found: str
    to_do: str = ""


def ok(what: str, found: str, to_do: str = "") -> Row:
    return Row(OK, what, found, to_do)


def warning(what: str, found: str, to_do: str = "") -> Row:
    return Row(WARNING, what, found, to_do)


def wrong(what: str, found: str, to_do: str = "") -> Row:
    return Row(WRONG, what, found, to_do)
