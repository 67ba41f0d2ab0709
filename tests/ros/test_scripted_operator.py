"""The scripted expert in front of a robot: what it looks at."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy

from imitation_ros.ros.operator_node import OperatorNode


@pytest.fixture
def operator():
    rclpy.init()
    node = OperatorNode({"setup": "panda_reach", "recorder": ""})
    yield node
    node.destroy_node()
    rclpy.shutdown()


def test_an_observation_that_began_later_than_the_others_is_waited_for(operator):
    def hear(*names, at_s):
        for field in operator.spec.observation:
            if field.name in names:
                operator.receive(field.name, np.zeros(field.row_shape), at_s, at_s, at_s)

    names = [field.name for field in operator.spec.observation]
    hear(*names[1:], at_s=1.00)
    hear(names[0], at_s=1.02)  # its first value: there is no tick yet at which everything was seen
    operator.create_timer(0.05, lambda: hear(*names, at_s=1.05))
    seen = operator.look()
    assert seen.tick_s == 1.05 and set(seen.values) == set(names)
