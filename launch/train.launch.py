"""Learn a policy from recordings: ros2 launch imitation_ros train.launch.py data:=demos algorithm:=bc output:=policy"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument("data", description="a recording: one HDF5 file, or a folder of them"),
    DeclareLaunchArgument("output", description="the folder for the policy bundle; must not exist"),
    DeclareLaunchArgument(
        "algorithm", default_value="bc", description="a name in config/training, or the path of a recipe"
    ),
    DeclareLaunchArgument("updates", default_value="0", description="updates of the weights; 0: what the recipe says"),
    DeclareLaunchArgument("seed", default_value="0", description="draws weights, batches and validation episodes"),
    DeclareLaunchArgument(
        "device",
        default_value="auto",
        choices=["auto", "cpu", "cuda"],
        description="auto takes a GPU where there is one",
    ),
]


def given(name, kind=str):
    """Return an argument as a parameter of one type, so that `output:=2024` stays a text."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def generate_launch_description():
    trainer = Node(
        package="imitation_ros",
        executable="train",
        parameters=[
            {
                "data": given("data"),
                "output": given("output"),
                "recipe": given("algorithm"),
                "updates": given("updates", int),
                "seed": given("seed", int),
                "device": given("device"),
            }
        ],
        output="screen",
        on_exit=Shutdown(),
    )
    return LaunchDescription([*ARGUMENTS, trainer])
