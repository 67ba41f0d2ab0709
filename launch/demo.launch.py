"""Record a scripted operator in the simulator, in lock-step: ros2 launch imitation_ros demo.launch.py output:=demos"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument(
        "setup", default_value="panda_reach", description="a name in config/setups, or the path of a setup"
    ),
    DeclareLaunchArgument("output", description="the folder for the episodes"),
    DeclareLaunchArgument("append", default_value="false", description="add to a folder that already holds episodes"),
    DeclareLaunchArgument(
        "episodes", default_value="50", description="demonstrations to record; failures do not count"
    ),
    DeclareLaunchArgument(
        "episode_s", default_value="3.0", description="the task's time limit [s]: 3 for reach, 5 for pick_place"
    ),
    DeclareLaunchArgument("disturbance", default_value="true", description="add the scene's noise to what is executed"),
    DeclareLaunchArgument("seed", default_value="0", description="draws the starts"),
]


def given(name, kind=str):
    """Return an argument as a parameter of one type, so that `output:=2024` stays a text."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def generate_launch_description():
    simulator = Node(
        package="imitation_ros",
        executable="simulate",
        parameters=[
            {
                "setup": given("setup"),
                "disturbance": given("disturbance", bool),
                "seed": given("seed", int),
                "lockstep": True,
            }
        ],
        output="screen",
        on_exit=Shutdown(),
    )
    recorder = Node(
        package="imitation_ros",
        executable="record",
        parameters=[
            {
                "setup": given("setup"),
                "output": given("output"),
                "append": given("append", bool),
                "operator": "scripted expert",
                "episode_s": given("episode_s", float),
                "lockstep": True,
                "use_sim_time": True,
            }
        ],
        output="screen",
        on_exit=Shutdown(),
    )
    operator = Node(
        package="imitation_ros",
        executable="operate",
        parameters=[{"setup": given("setup"), "episodes": given("episodes", int)}],
        output="screen",
        on_exit=Shutdown(),
    )
    return LaunchDescription([*ARGUMENTS, simulator, recorder, operator])
