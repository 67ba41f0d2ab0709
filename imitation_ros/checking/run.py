"""Read a dataset once, and say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imitation_ros.checking.table import print_checked
from imitation_ros.console import bar, console
from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.hdf5 import read_episodes
from imitation_ros.data.images import EncodedImages
from imitation_ros.data.quality import DATASET, Finding, Survey
from imitation_ros.errors import DataError

MARK = "<!-- imitation-ros check -->"  # by which a report of before is known
KEPT_BYTES = 64_000_000  # of first images, before it is known which are shown


@dataclass
class Checked:
    """What a dataset was found to be.

    Attributes:
        survey: None where not a single episode could be read.
        findings: of files, episodes and the dataset.
        images: (episode, camera) to its first image: the bytes of a JPEG, or pixels.
    """

    data: Path
    survey: Survey | None = None
    findings: list[Finding] = field(default_factory=list)
    images: dict[tuple[int, str], Any] = field(default_factory=dict)

    def count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)


def run_check(data: Path, report: Path | None = None, strict: bool = False) -> int:
    """Check a dataset, print a table, write a report where one is asked for, and return the exit code.

    Args:
        data: one HDF5 file, or a folder of them.
        report: an HTML file to write; one of an earlier check is replaced.
        strict: warnings count as errors.

    Raises:
        DataError: there is no dataset, or the report cannot be written.
    """
    if report is not None:
        check_report_path(report)
    checked = check_dataset(data)
    if report is not None:
        from imitation_ros.checking.page import write_page

        write_page(report, checked)
    print_checked(checked)
    if report is not None:
        console.print(f"The report is in {report}: open it in a browser.", highlight=False, soft_wrap=True)
    return int(checked.count("error") > 0 or (strict and checked.count("warning") > 0))


def check_report_path(report: Path) -> None:
    if report.suffix not in (".html", ".htm"):
        raise DataError(f"--report is {report}; it should be an HTML file, such as report.html.")
    if not report.parent.is_dir():
        raise DataError(f"the folder {report.parent} of the report does not exist. Make it, or choose another.")
    if report.is_dir() or (report.exists() and MARK.encode() not in report.read_bytes()[:200]):
        raise DataError(f"{report} exists and is no report of `check`, so it is not replaced. Choose another file.")


def check_dataset(data: Path) -> Checked:
    """Read a dataset once and return what was found; broken files are findings too."""
    files = dataset_files(data)
    checked = Checked(data)
    index, kept = 0, 0
    with bar("checking", len(files)) as progress:
        for number, path in enumerate(files, start=1):
            try:
                for place, episode in enumerate(read_episodes(path)):
                    name = path.stem if place == 0 and len(files) > 1 else f"{path.stem}:{place}"
                    if checked.survey is None:
                        checked.survey = Survey(episode.spec)
                    if not same_meaning(checked, episode, name):
                        continue
                    checked.survey.add(episode, index, name)
                    kept = keep_images(checked, episode, index, kept)
                    index += 1
            except DataError as error:
                checked.findings.append(unreadable(path, str(error)))
            progress.show(number, f"{index} episodes")
    checked.findings += unfinished(data)
    if checked.survey is not None:
        checked.findings += checked.survey.findings()
    return checked


def same_meaning(checked: Checked, episode: Episode, name: str) -> bool:
    """Whether an episode means the same as the first one; says so where it does not."""
    survey = checked.survey
    if survey is None or episode.spec is survey.layout.spec:
        return True
    differences = survey.layout.spec.differences(episode.spec)
    if differences:
        what = "files mean different things than the first one, and are left out of this check"
        found = f"{name}: {'; '.join(differences[:3])}"
        do = "Put them into folders of their own."
        checked.findings.append(Finding("error", "meaning", DATASET, "", what, found, "one meaning", do))
    return not differences


def unreadable(path: Path, error: str) -> Finding:
    what, do = "files cannot be read", "Move the file away, or record the episode again."
    return Finding("error", "unreadable", DATASET, "", what, error.replace(f"{path}", path.name), "all whole", do)


def unfinished(data: Path) -> list[Finding]:
    parts = sorted(data.glob("*.part")) if data.is_dir() else []
    if not parts:
        return []
    what, found = "episodes were never finished", ", ".join(part.name for part in parts[:3])
    found += f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    do = "Unless one is being recorded now: `imitation-ros recover DATA`."
    return [Finding("warning", "unfinished", DATASET, "", what, found, "none", do)]


def keep_images(checked: Checked, episode: Episode, index: int, kept: int) -> int:
    """Keep the first image of each camera as it is, as long as there is room; return how many bytes are kept."""
    for camera in episode.spec.observation:
        if camera.is_image and len(images := episode.observations[camera.name]):
            first = images.jpegs[0] if isinstance(images, EncodedImages) else images[0].copy()
            if kept + first.nbytes <= KEPT_BYTES:
                checked.images[index, camera.name] = first
                kept += first.nbytes
    return kept
