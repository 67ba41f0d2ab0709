"""The findings of a check as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

import html
from pathlib import Path
from string import Template

from imitation_ros import __version__
from imitation_ros.checking.episode_rows import episode_section, image_section
from imitation_ros.checking.run import MARK, Checked
from imitation_ros.checking.sections import following_section, range_section, timing_section
from imitation_ros.checking.style import STYLE
from imitation_ros.checking.table import instruction
from imitation_ros.data.quality import Group, grouped, numbers_of_episodes
from imitation_ros.errors import DataError

PAGE = Template("""<!doctype html>
$mark
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>check: $title</title>
<style>$style</style></head><body><main>
<h1>$title</h1>
<p class="lead">$lead</p>
<div class="tiles">$tiles</div>
$sections
<p class="note">Written by <code>imitation-ros check</code>, imitation_ros $version. Episodes are counted from 0, in the
order of their files.</p>
</main></body></html>
""")

FEW = 12  # episode numbers that are shown at once


def write_page(path: Path, checked: Checked) -> None:
    """Write the report; every plot and picture is inside the file.

    Raises:
        DataError: it cannot be written.
    """
    try:
        path.write_text(page(checked), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Choose another file.") from None


def page(checked: Checked) -> str:
    survey = checked.survey
    sections = [findings_section(checked)]
    lead = "No episode could be read."
    if survey is not None and survey.measures:
        spec = survey.layout.spec
        task = f", task {spec.task}" if spec.task else ""
        lead = f"Recordings of the setup {spec.name} (robot {spec.robot or 'not named'}{task}) at {spec.rate_hz:g} Hz."
        sections += [episode_section(checked, survey), image_section(checked, survey), timing_section(survey)]
        sections += [following_section(survey), range_section(survey)]
    return PAGE.substitute(
        mark=MARK,
        title=html.escape(str(checked.data)),
        style=STYLE,
        lead=html.escape(lead),
        tiles="".join(tiles(checked)),
        sections="".join(sections),
        version=__version__,
    )


def tiles(checked: Checked) -> list[str]:
    """Return the figures on top: how much there is, and how much of it is wrong."""
    measures = [] if checked.survey is None else checked.survey.measures
    seconds = sum(each.seconds for each in measures)
    length = f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.0f} s"
    marked = [each.success for each in measures if each.success is not None]
    share = f"{sum(marked) / len(marked):.0%}" if marked else "-"
    figures = [
        ("", f"{len(measures)}", "episodes"),
        ("", length, f"{sum(each.steps for each in measures)} ticks"),
        ("", share, "marked a success" if len(marked) == len(measures) else f"success of {len(marked)} marked"),
    ]
    for severity in ("error", "warning", "note"):
        count = checked.count(severity)
        colour = severity if count else "good" if severity == "error" else ""
        figures.append((colour, f"{count}", severity if count == 1 else f"{severity}s"))
    return [f'<div class="tile {kind}"><b>{figure}</b>{label}</div>' for kind, figure, label in figures]


def findings_section(checked: Checked) -> str:
    groups = grouped(checked.findings)
    survey = checked.survey
    missing = survey.not_possible() if survey is not None and survey.measures else []
    not_checked = f"<h3>Not checked</h3>{''.join(f'<p class=note>{html.escape(line)}</p>' for line in missing)}"
    if groups:
        count = 0 if survey is None else len(survey.measures)
        rows = "".join(finding_row(group, count, str(checked.data)) for group in groups)
        heads = "<tr><th></th><th>what, and what to do</th><th>found</th><th>usual</th><th>episodes</th></tr>"
        body = f'<div class="scroll"><table>{heads}{rows}</table></div>'
    else:
        body = "<p>Nothing: no error, no warning, no note.</p>"
    return f"<section><h2>What was found</h2>{body}{not_checked if missing else ''}</section>"


def finding_row(group: Group, count: int, data: str) -> str:
    worst = group.worst
    found = html.escape(worst.found) + ("<br><small>the worst of them</small>" if len(group.findings) > 1 else "")
    do = marked_up(instruction(group, data))
    return (
        f'<tr><td><span class="pill {worst.severity}">{worst.severity}</span></td>'
        f'<td class="what">{marked_up(worst.what)}<small>{do}</small></td><td>{found}</td>'
        f'<td class="usual">{html.escape(worst.usual)}</td><td>{listed(group, count)}</td></tr>'
    )


def marked_up(text: str) -> str:
    """Return text with what stands between backticks as code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def listed(group: Group, count: int) -> str:
    episodes = group.episodes
    if not episodes:
        return "all together"
    numbers = numbers_of_episodes(episodes)
    if len(episodes) <= FEW:
        return numbers
    how_many = "all" if len(episodes) == count else f"{len(episodes)} of {count}"
    return f"<details><summary>{how_many}</summary>{numbers}</details>"
