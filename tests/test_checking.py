"""`imitation-ros check`: what it prints, the report that it writes, and how it ends."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "data"))

from quality_faults import FAULTS, clean_episodes

from imitation_ros import cli
from imitation_ros.checking import check_dataset, run_check
from imitation_ros.console import console
from imitation_ros.data.episode import episode_from_arrays
from imitation_ros.data.images import EncodedImages
from imitation_ros.data.save import save_episodes
from imitation_ros.envs.collect import collect
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import DataError
from imitation_ros.robot.plain import spec_from_arrays


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return save_episodes(tmp_path_factory.mktemp("clean") / "demos", clean_episodes())


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A dataset with an error, a warning and notes."""
    episodes = clean_episodes()
    for fault in ("a topic that died", "none marked"):
        episodes = FAULTS[fault][0](episodes)
    episodes[7] = FAULTS["a frozen camera"][0](episodes[2:8])[5]
    return save_episodes(tmp_path_factory.mktemp("faulty") / "demos", episodes)


def said(*arguments, **options) -> str:
    with console.capture() as captured:
        run_check(*arguments, **options)
    return captured.get()


def ended(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["imitation-ros", "check", *map(str, arguments)])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    return ending.value.code or 0


def test_it_ends_with_1_for_errors_and_for_warnings_where_it_is_strict(monkeypatch, tmp_path, clean, faulty):
    warned = save_episodes(tmp_path / "warned", FAULTS["not marked"][0](clean_episodes()))
    assert [ended(monkeypatch, data) for data in (clean, warned, faulty)] == [0, 0, 1]
    assert [ended(monkeypatch, data, "--strict") for data in (clean, warned, faulty)] == [0, 1, 1]
    assert ended(monkeypatch, tmp_path / "nowhere") == 2


def test_it_says_what_is_wrong_where_and_what_to_do(faulty):
    words = " ".join(said(faulty).split())
    assert "16 episodes of leader_arm" in words and "1 error, 1 warning" in words
    assert f"`imitation-ros edit {faulty} --delete 5`" in words


def test_a_packed_file_has_the_findings_of_its_folder(tmp_path, faulty):
    packed = save_episodes(tmp_path / "packed.hdf5", FAULTS["a frozen sensor"][0](clean_episodes()))
    folder = save_episodes(tmp_path / "folder", FAULTS["a frozen sensor"][0](clean_episodes()))
    assert check_dataset(packed).findings == check_dataset(folder).findings


def test_a_broken_file_another_meaning_and_a_part_are_findings_beside_those_of_the_others(tmp_path, spec, make_episode):
    data = save_episodes(tmp_path / "demos", clean_episodes()[:4])
    (data / "episode_000001.hdf5").write_bytes(b"nothing")
    save_episodes(tmp_path / "other", [make_episode(spec)])
    (tmp_path / "other/episode_000000.hdf5").rename(data / "episode_000009.hdf5")
    (data / "episode_000010.hdf5.part").touch()
    checked = check_dataset(data)
    found = {finding.kind: finding for finding in checked.findings}
    assert {"unreadable", "meaning", "unfinished"} <= {*found}
    assert "episode_000001.hdf5" in found["unreadable"].found and "episode_000009" in found["meaning"].found
    assert len(checked.survey.measures) == 3


def test_no_image_is_decoded_while_a_dataset_is_read(monkeypatch, faulty):
    monkeypatch.setattr(EncodedImages, "pixels", lambda *_: pytest.fail("an image was decoded"))
    assert {"frozen"} <= {finding.kind for finding in check_dataset(faulty).findings}


def test_where_nothing_can_be_read_it_still_says_so(tmp_path):
    (tmp_path / "one.hdf5").write_bytes(b"nothing")
    report = tmp_path / "report.html"
    assert "cannot be read" in " ".join(said(tmp_path, report).split())
    assert "No episode could be read" in report.read_text()


@pytest.mark.parametrize("data", ["clean", "faulty"])
def test_the_report_is_one_file_that_needs_no_other(tmp_path, request, data):
    report = tmp_path / "report.html"
    run_check(request.getfixturevalue(data), report)
    text = report.read_text()
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)
    assert text.count("<svg") >= 10 and "prefers-color-scheme: dark" in text
    assert "nan" not in re.sub(r"<[^>]*base64[^>]*>", "", text).lower().replace("nance", "")


def test_the_report_shows_the_first_images_of_episodes_with_warnings(tmp_path, faulty):
    report = tmp_path / "report.html"
    run_check(faulty, report)
    assert len(re.findall(r'<img alt="camera" src="data:image/jpeg;base64,', report.read_text())) == 3  # 0, 5 and 7


def test_names_in_the_data_are_no_html(tmp_path):
    episodes = [replace(episode, spec=replace(episode.spec, task="<b>&")) for episode in clean_episodes()[:2]]
    report = tmp_path / "report.html"
    run_check(save_episodes(tmp_path / "<i>", episodes), report)
    assert "&lt;b&gt;&amp;" in report.read_text() and "<i>/" not in report.read_text()


def test_a_report_is_replaced_and_no_other_file_is(tmp_path, clean):
    report = tmp_path / "report.html"
    run_check(clean, report)
    run_check(clean, report)
    report.write_text("mine")
    with pytest.raises(DataError, match="is no report of `check`"):
        run_check(clean, report)
    for path, words in (("a.txt", "an HTML file"), ("no/where.html", "does not exist")):
        with pytest.raises(DataError, match=words):
            run_check(clean, tmp_path / path)
    assert report.read_text() == "mine"


@pytest.mark.parametrize(("setup", "task"), [("panda_reach", "reach"), ("panda_pick_place", "pick_place")])
@pytest.mark.parametrize("disturbance", [False, True])
def test_demonstrations_of_the_scripted_experts_have_no_finding_above_a_note(tmp_path, setup, task, disturbance):
    data = save_episodes(tmp_path / "demos", collect(setup, Expert(task), 10, disturbance=disturbance))
    assert [finding for finding in check_dataset(data).findings if finding.severity != "note"] == []


def test_arrays_of_ones_own_are_checked_without_names_or_stamps(tmp_path):
    """As imported ones are: which number follows which command is found by itself."""
    episodes = []
    for index in range(8):
        rng = np.random.default_rng(index)
        speed = np.convolve(rng.normal(size=330), np.hanning(15), "valid")[:300, None]
        place = np.concatenate([[[0.0]], np.cumsum(np.roll(speed, 2, axis=0), axis=0)])
        state = np.concatenate([rng.normal(size=(301, 1)).cumsum(axis=0), 0.05 * place], axis=1)
        episodes.append((state, speed))
    spec = spec_from_arrays("own", {"state": episodes[0][0]}, {"push": np.array([[-9.0], [9.0]])}, 20.0)
    made = [episode_from_arrays(spec, {"state": state}, {"push": push}, success=True) for state, push in episodes]
    checked = check_dataset(save_episodes(tmp_path / "demos.hdf5", made))
    pair = checked.survey.pairs[0]
    assert (pair.action, pair.observation, pair.same) == (0, 1, False)
    assert {each.following.lag[0] for each in checked.survey.measures} == {2}
    assert "They hold no stamps" in " ".join(checked.survey.not_possible())
