"""The report's table of episodes, and what the cameras saw first in those with findings."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np

from imitation_ros.checking.run import Checked
from imitation_ros.data.quality import DATASET, SEVERITIES, Finding, Measures, Survey
from imitation_ros.data.quality.dataset_findings import distances_of
from imitation_ros.data.quality.signals import Array
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages.images import decoded

THUMBNAILS = 24  # more make the file large
THUMBNAIL_PX = 240  # wide
SUCCESS = {None: "-", True: "yes", False: "no"}


def episode_section(checked: Checked, survey: Survey) -> str:
    """Return one row for each episode: those with findings, and on request the others."""
    by_episode = findings_by_episode(checked)
    columns = columns_of(survey)
    heads = "".join(f'<th class="{"number" if kind else ""}">{html.escape(name)}</th>' for name, kind, _ in columns)
    rows = []
    for place, each in enumerate(survey.measures):
        found = by_episode.get(each.index, [])
        plain = "" if any(finding.severity != "note" for finding in found) else " class=clean"
        cells = "".join(cell(kind, values[place]) for _, kind, values in columns)
        rows.append(f"<tr{plain}>{cells}<td>{pills(found)}</td></tr>")
    clean = sum("class=clean" in row for row in rows)
    shown = " checked" if clean == len(rows) or len(rows) <= 40 else ""
    return (
        f"<section><h2>Episodes</h2><p class=note>{len(rows) - clean} of {len(rows)} have an error or a warning. "
        f"<i>Still</i>: share of the ticks at which nothing moves. <i>Jerk</i>: beside the median of all. <i>Ends</i>: "
        f"share of the ticks with a label at an end of its scale. <i>Distance</i>: from where the others happen, in "
        f"robust standard deviations.</p><input type=checkbox id=all{shown}> <label for=all>also the {clean} others"
        f'</label><div class="scroll tall"><table><tr>{heads}<th>findings</th></tr>{"".join(rows)}</table></div>'
        "</section>"
    )


def columns_of(survey: Survey) -> list[tuple[str, str, list[str]]]:
    """Return the columns that say something here: head, class, and a text or share for each episode."""
    measures = survey.measures
    period_ms = survey.layout.spec.period_s * 1e3
    distances = distances_of(measures, survey.layout, survey.scale)
    columns = [
        ("", "number", [f"{each.index}" for each in measures]),
        ("episode", "", [each.name for each in measures]),
        ("length", "number", [f"{each.seconds:.1f} s" for each in measures]),
        ("success", "", [SUCCESS[each.success] for each in measures]),
        ("still", "share", [f"{each.motion.still:.1%}" for each in measures]),
    ]
    if any(each.timing is not None for each in measures):
        stale = ["-" if each.timing is None else f"{each.timing.stale:.1%}" for each in measures]
        silent = ["-" if each.timing is None else f"{max(each.timing.silent.values()):.1%}" for each in measures]
        columns += [("stale", "share", stale), ("silent", "share", silent)]
    robot = [field.name for field in survey.layout.robot_fields(survey.pairs)]
    if robot:
        columns.append(("jerk", "number", [f"{value:.1f}x" for value in relative_jerk(measures, robot)]))
    ends = [f"{float(each.numbers.saturated.max(initial=0.0)):.1%}" for each in measures]
    columns.append(("ends", "share", ends))
    if any(each.following.lag for each in measures):
        lags = [f"{each.following.lag[0] * period_ms:.0f} ms" if each.following.lag else "-" for each in measures]
        columns.append(("lag", "number", lags))
    return [*columns, ("distance", "number", [f"{distance:.1f}" for distance in distances])]


def relative_jerk(measures: list[Measures], fields: list[str]) -> Array:
    """Return how jerky each episode is beside the median of all, in its worst field."""
    jerks = np.array([[each.motion.jerk[name] for name in fields] for each in measures])
    middle = np.median(jerks, axis=0)
    beside = np.divide(jerks, middle, out=np.ones_like(jerks), where=middle > 0.0)
    return np.asarray(beside.max(axis=1))


def cell(kind: str, text: str) -> str:
    if kind == "share":
        part = "0%" if text == "-" else text
        return f'<td class="number share" style="--part:{part}">{text}</td>'
    return f'<td class="{kind}">{html.escape(text)}</td>'


def pills(found: list[Finding]) -> str:
    shown = dict.fromkeys((finding.severity, finding.kind, finding.field) for finding in found)
    return " ".join(
        f'<span class="pill {severity}">{html.escape(f"{kind} {field}".strip())}</span>'
        for severity, kind, field in shown
    )


def findings_by_episode(checked: Checked) -> dict[int, list[Finding]]:
    by_episode: dict[int, list[Finding]] = {}
    for finding in sorted(checked.findings, key=lambda each: SEVERITIES.index(each.severity)):
        if finding.episode != DATASET:
            by_episode.setdefault(finding.episode, []).append(finding)
    return by_episode


def image_section(checked: Checked, survey: Survey) -> str:
    """Return the first images of the episodes with an error or a warning, and of the first one to compare with."""
    by_episode = findings_by_episode(checked)
    wanted = [i for i, found in by_episode.items() if any(each.severity != "note" for each in found)]
    figures: list[str] = []
    for index in dict.fromkeys([0, *sorted(wanted)]):
        for camera in survey.layout.cameras:
            image = checked.images.get((index, camera.name))
            if image is not None and len(figures) < THUMBNAILS:
                kinds = ", ".join(dict.fromkeys(each.kind for each in by_episode.get(index, [])))
                words = f"<b>{index}</b> {html.escape(camera.name)}<br>{html.escape(kinds)}"
                picture = f'<img alt="{html.escape(camera.name)}" src="{thumbnail(image, camera)}">'
                figures.append(f"<figure>{picture}<figcaption>{words}</figcaption></figure>")
    if not figures:
        return ""
    return (
        "<section><h2>First images</h2><p class=note>Of episode 0, and of those with an error or a warning: has "
        "somebody moved a camera, the light or the table?</p>"
        f'<div class="grid thumbs">{"".join(figures)}</div></section>'
    )


def thumbnail(image: Any, camera: Field) -> str:
    """Return an image as a small JPEG in a data URL; one that is broken as it is."""
    from PIL import Image

    try:
        pixels = decoded(image, camera)
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=80)
        data = buffer.getvalue()
    except Exception:  # whatever is wrong with it, the browser shows that
        data = np.asarray(image).tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
