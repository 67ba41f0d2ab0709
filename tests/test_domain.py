"""The demo's graph is its own, whatever robot the shell is set up for."""

from __future__ import annotations

import socket

from imitation_ros import demo


def test_a_domain_in_which_somebody_takes_part_is_not_chosen(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(("", 7410 + 250 * 42))
        monkeypatch.setattr(demo.random, "sample", lambda domains, count: [42, 43])
        assert demo.free_domain() == 43


def test_the_users_own_domain_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")
    assert int(demo.environment(tmp_path)["ROS_DOMAIN_ID"]) in range(1, 102)
