"""`imitation-ros replay`: what was executed gives the recorded episode again, and says where it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pybullet")

from imitation_ros.console import console
from imitation_ros.data.editing import cut, relabelled
from imitation_ros.data.hdf5 import write_episode
from imitation_ros.data.save import save_episodes
from imitation_ros.envs.collect import collect
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import DataError, SpecError
from imitation_ros.replaying import run_replay

SETUP = "panda_pick_place"
RECORDER = ("seed", "purpose", "start")  # what a recorder does not know


@pytest.fixture(scope="module")
def disturbed():
    return collect(SETUP, Expert("pick_place"), range(3, 5), seed=7, disturbance=True, purpose="test")


@pytest.fixture(scope="module")
def seen():
    """A few ticks of an episode with two cameras."""
    return replace(cut(collect("panda_pick_place_cameras", Expert("pick_place"), 1)[0], 0, 5, "short"), success=None)


def replayed(data, episodes=(), setup="", seed=0, tolerance=1e-3):
    """Return the exit code and what was said."""
    with console.capture() as captured:
        code = run_replay(data, episodes, setup, seed, tolerance)
    return code, " ".join(captured.get().split())


def forgetful(episode, **changes):
    """Return an episode as a recorder writes it, which does not know the start."""
    kept = {word: value for word, value in episode.attributes.items() if word not in RECORDER}
    return replace(episode, attributes=kept, **changes)


def test_disturbed_episodes_are_reproduced_to_the_last_bit(tmp_path, disturbed):
    code, said = replayed(save_episodes(tmp_path / "data", disturbed), tolerance=0.0)
    assert code == 0 and said.count("100 ticks, the same to the last bit; a success, as recorded.") == 2
    assert "(test start 3 of seed 7)" in said and "2 of 2 episodes are reproduced." in said


@pytest.mark.parametrize("options", [{"randomisation": True}, {"terminate_on_success": True}])
def test_so_are_randomised_and_short_ones(tmp_path, options):
    path = write_episode(tmp_path / "one.hdf5", collect(SETUP, Expert("pick_place"), 1, **options)[0])
    code, said = replayed(path, tolerance=0.0)
    assert code == 0 and "the same to the last bit" in said


@pytest.mark.parametrize("storage", ["jpeg", "raw"])
def test_so_are_images_whichever_way_they_are_stored(tmp_path, seen, storage):
    fields = [replace(field, storage=storage) if field.is_image else field for field in seen.spec.observation]
    stored = replace(seen, spec=replace(seen.spec, observation=tuple(fields)))
    code, said = replayed(write_episode(tmp_path / "one.hdf5", stored), tolerance=0.0)
    assert code == 0 and "5 ticks, the same to the last bit" in said


def test_an_image_that_differs_is_measured_in_grey_levels(tmp_path, seen):
    pixels = seen.observations["scene_camera"].copy()
    pixels[3:] = 255 - pixels[3:]
    path = write_episode(
        tmp_path / "one.hdf5", replace(seen, observations={**seen.observations, "scene_camera": pixels})
    )
    code, said = replayed(path)
    assert code == 1 and "'scene_camera' is beyond the tolerance from tick 3 of 5 on" in said and "levels 3" in said


def test_an_environment_of_gymnasiums_is_replayed_too(tmp_path):
    episodes = collect("Pendulum-v1", Still(), 2, seed=3)
    code, said = replayed(save_episodes(tmp_path / "data", episodes), ["1"], tolerance=0.0)
    assert code == 0 and "episode_000001 (start 1 of seed 3): 200 ticks, the same to the last bit" in said


class Still:
    def act(self, observation):
        return {"action": np.array([0.3])}


def test_the_start_of_a_recorders_episode_is_found_by_its_first_observation(tmp_path):
    episode = forgetful(collect("panda_reach", Expert("reach"), range(6, 7), seed=2)[0])
    path = write_episode(tmp_path / "one.hdf5", episode)
    code, said = replayed(path, seed=2, tolerance=0.0)
    assert code == 0 and "(start 6 of seed 2, found by its first observation)" in said
    code, said = replayed(path)
    assert code == 1 and "not replayed" in said and "none of the first 1000 of seed 0 begins as it does" in said


def test_an_episode_whose_end_was_cut_off_is_reproduced_as_far_as_it_goes(tmp_path, disturbed):
    path = write_episode(tmp_path / "one.hdf5", replace(cut(disturbed[0], 0, 30, "end cut off"), success=None))
    code, said = replayed(path, tolerance=0.0)
    assert code == 0 and "30 ticks, the same to the last bit; the replay is a failure, the recording is not" in said


def test_an_episode_whose_beginning_was_cut_off_is_not_and_says_why(tmp_path, disturbed):
    code, said = replayed(write_episode(tmp_path / "one.hdf5", cut(disturbed[0], 10, 100, "beginning cut off")))
    assert code == 1 and "is beyond the tolerance from tick 0 of 90 on" in said
    assert "begins elsewhere already" in said and "It was edited:" in said and "beginning cut off" in said
    assert "beyond from tick" in said and "object_pose" in said  # the table


def test_what_differs_is_named_with_how_far_and_from_when(tmp_path, disturbed):
    episode = disturbed[0]
    observations = {**episode.observations, "object_pose": episode.observations["object_pose"].copy()}
    observations["object_pose"][40:, 2] += 0.25
    path = write_episode(tmp_path / "one.hdf5", replace(episode, observations=observations))
    code, said = replayed(path)
    assert code == 1 and "'object_pose' is beyond the tolerance from tick 40 of 100 on" in said
    assert "object_pose 0.25" in said and "joint_position 0 0 rad -" in said
    code, said = replayed(path, tolerance=0.3)
    assert code == 0 and "within 0.3: at most 0.25 (object_pose)" in said


def test_another_outcome_than_the_marked_one_is_no_reproduction(tmp_path, disturbed):
    code, said = replayed(write_episode(tmp_path / "one.hdf5", relabelled(disturbed[0], False)))
    assert code == 1 and "the same to the last bit; recorded a failure, now a success" in said and "edited" in said


def test_a_robot_without_a_scene_is_not_replayed_and_that_is_said(tmp_path, spec, make_episode):
    code, said = replayed(write_episode(tmp_path / "one.hdf5", make_episode(spec)))
    assert code == 1 and "demo_0: not replayed. tiny_wipe has no `scene:`" in said


def test_a_setup_that_is_not_there_is_asked_for(tmp_path, disturbed):
    episode = replace(disturbed[0], spec=replace(disturbed[0].spec, name="my_cell"))
    with pytest.raises(SpecError, match=r"'my_cell' is not in config/setups.*--setup my/my_cell\.yaml"):
        replayed(write_episode(tmp_path / "one.hdf5", episode))


def test_a_setup_of_another_meaning_is_refused(tmp_path, disturbed):
    path = write_episode(tmp_path / "one.hdf5", disturbed[0])
    code, said = replayed(path, setup="panda_push")
    assert code == 1 and "panda_push means something else now, recorded != setup:" in said


def test_another_version_is_said_where_an_episode_is_not_reproduced(tmp_path, disturbed):
    attributes = {**disturbed[0].attributes, "start": 4, "software": "imitation_ros 0.0.1"}
    code, said = replayed(write_episode(tmp_path / "one.hdf5", replace(disturbed[0], attributes=attributes)))
    assert code == 1 and "made by imitation_ros 0.0.1" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tolerance": -1.0}, "--tolerance is -1"),
        ({"tolerance": float("nan")}, "--tolerance is nan"),
        ({"seed": -1}, "--seed is -1"),
        ({"episodes": ["7"]}, "has no episode 7. There is only 0"),
        ({"episodes": ["failure"]}, "no episode that --episode failure means"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(tmp_path, disturbed, options, words):
    path = write_episode(tmp_path / "one.hdf5", disturbed[0])
    with pytest.raises(DataError, match=words):
        replayed(path, **options)
