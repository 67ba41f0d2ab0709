"""Teleoperate a simulated robot with a joystick: ros2 launch imitation_ros teleoperate.launch.py setup:=... output:=...

The simulator keeps real time. `ros2 run joy joy_node` (not started here) publishes the joystick. The keyboard needs a
terminal of its own, which a launch file cannot give: start it with `imitation-ros operate SETUP --by keyboard
--use-sim-time`, with joystick:=false here.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument("setup", description="a name in config/setups, or the path of a setup"),
    DeclareLaunchArgument("output", description="the folder for the episodes"),
    DeclareLaunchArgument("append", default_value="false", description="add to a folder that already holds episodes"),
    DeclareLaunchArgument("operator", default_value="", description="who demonstrates"),
    DeclareLaunchArgument(
        "joystick", default_value="true", description="false: only simulator and recorder, for the keyboard"
    ),
    DeclareLaunchArgument(
        "layout",
        default_value="joystick",
        description="what axes and buttons do: a name in config/operators, or a path",
    ),
    DeclareLaunchArgument(
        "disturbance", default_value="false", description="add the scene's noise to what is executed"
    ),
    DeclareLaunchArgument("seed", default_value="0", description="draws the starts"),
    DeclareLaunchArgument("namespace", default_value="", description="where nodes, robot and `joy` are"),
]


def given(name, kind=str):
    """Return an argument as a parameter of one type, so that `output:=2024` stays a text."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def generate_launch_description():
    simulator = Node(
        package="imitation_ros",
        executable="simulate",
        namespace=LaunchConfiguration("namespace"),
        parameters=[{"setup": given("setup"), "disturbance": given("disturbance", bool), "seed": given("seed", int)}],
        output="screen",
        on_exit=Shutdown(),
    )
    recorder = Node(
        package="imitation_ros",
        executable="record",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            {
                "setup": given("setup"),
                "output": given("output"),
                "append": given("append", bool),
                "operator": given("operator"),
                "use_sim_time": True,
            }
        ],
        output="screen",
        on_exit=Shutdown(),
    )
    joystick = Node(
        package="imitation_ros",
        executable="operate_joystick",
        namespace=LaunchConfiguration("namespace"),
        parameters=[{"setup": given("setup"), "layout": given("layout"), "use_sim_time": True}],
        output="screen",
        on_exit=Shutdown(),
        condition=IfCondition(LaunchConfiguration("joystick")),
    )
    return LaunchDescription([*ARGUMENTS, simulator, recorder, joystick])
