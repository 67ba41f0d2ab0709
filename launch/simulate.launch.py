"""Simulate a setup's robot behind its topics: ros2 launch imitation_ros simulate.launch.py setup:=panda_pick_place"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument("setup", description="a name in config/setups, or the path of a setup"),
    DeclareLaunchArgument(
        "lockstep", default_value="false", description="step only after a command for the current tick has come"
    ),
    DeclareLaunchArgument(
        "real_time_factor", default_value="1.0", description="simulated seconds per second, without lockstep"
    ),
    DeclareLaunchArgument(
        "disturbance", default_value="false", description="add the scene's noise to what is executed"
    ),
    DeclareLaunchArgument(
        "randomisation", default_value="false", description="vary every episode as the scene's `randomisation` says"
    ),
    DeclareLaunchArgument("gui", default_value="false", description="show it in a window; needs a display"),
    DeclareLaunchArgument("seed", default_value="0", description="draws the starts"),
    DeclareLaunchArgument(
        "purpose",
        default_value="train",
        choices=["train", "validation", "test", "rollout"],
        description="what the starts are for; those of different purposes never coincide",
    ),
    DeclareLaunchArgument("namespace", default_value="", description="where the node and the robot's topics are"),
]


def given(name, kind=str):
    """Return an argument as a parameter of one type, so that `output:=2024` stays a text."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def generate_launch_description():
    simulator = Node(
        package="imitation_ros",
        executable="simulate",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            {
                "setup": given("setup"),
                "lockstep": given("lockstep", bool),
                "real_time_factor": given("real_time_factor", float),
                "disturbance": given("disturbance", bool),
                "randomisation": given("randomisation", bool),
                "gui": given("gui", bool),
                "seed": given("seed", int),
                "purpose": given("purpose"),
            }
        ],
        output="screen",
    )
    return LaunchDescription([*ARGUMENTS, simulator])
