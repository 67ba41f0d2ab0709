"""Record a teleoperated robot: ros2 launch imitation_ros record.launch.py setup:=panda_pick_place output:=demos"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument("setup", description="a name in config/setups, or the path of a setup"),
    DeclareLaunchArgument("output", description="the folder for the episodes"),
    DeclareLaunchArgument("append", default_value="false", description="add to a folder that already holds episodes"),
    DeclareLaunchArgument("task", default_value="", description="what is demonstrated; the setup's task if empty"),
    DeclareLaunchArgument("operator", default_value="", description="who demonstrates"),
    DeclareLaunchArgument("episode_s", default_value="0.0", description="longest episode [s]; 0: no limit"),
    DeclareLaunchArgument("reset_s", default_value="0.0", description="the next episode starts by itself after it [s]"),
    DeclareLaunchArgument("on_gap", default_value="warn", description="when a field falls silent: warn, discard, stop"),
    DeclareLaunchArgument(
        "buttons", default_value="", description="foot pedals: a name in config/operators, or a path"
    ),
    DeclareLaunchArgument(
        "record_bag", default_value="false", description="an mcap of raw messages beside each episode"
    ),
    DeclareLaunchArgument("namespace", default_value="", description="where the node and the robot's topics are"),
    DeclareLaunchArgument("joint_prefix", default_value="", description="stands before joints and frames in messages"),
    DeclareLaunchArgument("lockstep", default_value="false", description="the simulator waits for each command"),
    DeclareLaunchArgument("use_sim_time", default_value="false", description="take the time from /clock"),
]


def given(name, kind=str):
    """Return an argument as a parameter of one type, so that `output:=2024` stays a text."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def generate_launch_description():
    recorder = Node(
        package="imitation_ros",
        executable="record",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            {
                "setup": given("setup"),
                "output": given("output"),
                "append": given("append", bool),
                "task": given("task"),
                "operator": given("operator"),
                "episode_s": given("episode_s", float),
                "reset_s": given("reset_s", float),
                "on_gap": given("on_gap"),
                "buttons": given("buttons"),
                "record_bag": given("record_bag", bool),
                "joint_prefix": given("joint_prefix"),
                "lockstep": given("lockstep", bool),
                "use_sim_time": given("use_sim_time", bool),
            }
        ],
        output="screen",
    )
    return LaunchDescription([*ARGUMENTS, recorder])
