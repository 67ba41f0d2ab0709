"""Serve a policy to a robot: ros2 launch imitation_ros deploy.launch.py policy:=policy

The node drives nothing by itself: `ros2 lifecycle set /policy configure`, look around, then `... activate`.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument(
        "policy",
        description="the policy bundle's folder. The node never activates itself: call "
        "`ros2 lifecycle set /policy configure`, then `ros2 lifecycle set /policy activate`",
    ),
    DeclareLaunchArgument(
        "speed_scale",
        default_value="1.0",
        description="share of the velocity limits to use, above 0 and at most 1",
    ),
    DeclareLaunchArgument("check_start", default_value="true", description="refuse a start unlike every demonstration"),
    DeclareLaunchArgument("namespace", default_value="", description="where the node and the robot's topics are"),
    DeclareLaunchArgument(
        "setup",
        default_value="",
        description="take topics and tighter limits from this setup of the same meaning; the policy's own if empty",
    ),
    DeclareLaunchArgument("joint_prefix", default_value="", description="stands before joints and frames in messages"),
    DeclareLaunchArgument("use_sim_time", default_value="false", description="take the time from /clock"),
    DeclareLaunchArgument(
        "lockstep", default_value="false", description="answer every observation; the simulator waits"
    ),
]


def given(name, kind=str):
    """Return an argument as a parameter of one type, so that `output:=2024` stays a text."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def generate_launch_description():
    policy = LifecycleNode(
        package="imitation_ros",
        executable="policy",
        name="policy",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            {
                "policy": given("policy"),
                "speed_scale": given("speed_scale", float),
                "check_start": given("check_start", bool),
                "setup": given("setup"),
                "joint_prefix": given("joint_prefix"),
                "use_sim_time": given("use_sim_time", bool),
                "lockstep": given("lockstep", bool),
            }
        ],
        output="screen",
    )
    return LaunchDescription([*ARGUMENTS, policy])
