"""Learn a policy: ros2 launch imitation_ros train.launch.py algorithm:=bc data:=demos output:=policy"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument("output", description="the folder for the policy bundle; must not exist"),
    DeclareLaunchArgument(
        "algorithm",
        default_value="bc",
        description="an algorithm, another name in config/training, or the path of a recipe",
    ),
    DeclareLaunchArgument(
        "data", default_value="", description="a recording: one HDF5 file, or a folder; ppo and sac need none"
    ),
    DeclareLaunchArgument(
        "env", default_value="", description="where to practise: a setup, or an id of gymnasium's; empty: the data's"
    ),
    DeclareLaunchArgument(
        "expert", default_value="", description="whom dagger asks: expert for the task's scripted one, or a bundle"
    ),
    DeclareLaunchArgument("reward", default_value="", description="for ppo and sac: a bundle that gail or airl made"),
    DeclareLaunchArgument("start", default_value="", description="a bundle whose policy to go on from"),
    DeclareLaunchArgument("set", default_value="", description="values above the recipe's, such as 'ppo.clip=0.1'"),
    DeclareLaunchArgument("updates", default_value="0", description="updates of the weights; 0: what the recipe says"),
    DeclareLaunchArgument("steps", default_value="0", description="of the environment; 0: what the recipe says"),
    DeclareLaunchArgument(
        "seed", default_value="-1", description="draws weights, batches and rollouts; -1: what the recipe says"
    ),
    DeclareLaunchArgument("workers", default_value="1", description="processes that run the environment"),
    DeclareLaunchArgument("terminate_on_success", default_value="false", description="end episodes at success"),
    DeclareLaunchArgument("disturbance", default_value="false", description="add the scene's noise in practice"),
    DeclareLaunchArgument("finish", default_value="false", description="only make a bundle of a cancelled training"),
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
                "output": given("output"),
                "recipe": given("algorithm"),
                "data": given("data"),
                "env": given("env"),
                "expert": given("expert"),
                "reward": given("reward"),
                "start": given("start"),
                "set": given("set"),
                "updates": given("updates", int),
                "steps": given("steps", int),
                "seed": given("seed", int),
                "workers": given("workers", int),
                "terminate_on_success": given("terminate_on_success", bool),
                "disturbance": given("disturbance", bool),
                "finish": given("finish", bool),
                "device": given("device"),
            }
        ],
        output="screen",
        on_exit=Shutdown(),
    )
    return LaunchDescription([*ARGUMENTS, trainer])
