"""The verbs of the command line that need ROS: they run a node, or listen to a graph."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from imitation_ros.errors import ImitationRosError


def new_robot(name: str, /, output: Path, bag: Path | None = None, seconds: float = 5.0, namespace: str = "") -> None:
    """Draft a robot file and a setup from a live graph or a bag; what you must decide is marked TODO.

    Args:
        name: of the robot, such as my_arm.
        output: the robot file to write, such as my_arm.yaml; the setup goes beside it. Nothing is overwritten.
        bag: a rosbag2 (sqlite3 or mcap) to draft from, instead of the live graph.
        seconds: how long to listen to the live graph; teleoperate meanwhile.
        namespace: of the robot's topics; those outside of it are left out.
    """
    from imitation_ros.console import console
    from imitation_ros.drafting.files import check_output
    from imitation_ros.drafting.files import new_robot as draft_files
    from imitation_ros.drafting.probe import facts_of_bag

    check_output(name, output)
    check_namespace(namespace)
    if bag is not None:
        with console.status(f"reading {bag}"):
            graph = facts_of_bag(bag, namespace)
    else:
        discovery = ros_module("discovery")
        with console.status(f"listening for {seconds:g} s: teleoperate meanwhile"):
            graph = discovery.listen_to_everything(seconds, namespace)
    draft_files(name, output, graph, namespace)


def doctor(setup: str, /, seconds: float = 5.0, output: Path = Path("."), namespace: str = "") -> None:
    """Look at the live graph and this machine, and say what stands against recording or deploying a setup.

    The exit code is 0 where nothing is wrong, 1 otherwise.

    Args:
        setup: a name in config/setups, or the path of a setup.
        seconds: how long to listen; teleoperate meanwhile.
        output: the folder for recordings, whose disk is looked at.
        namespace: of the robot's topics.
    """
    from imitation_ros.checkup.report import examine
    from imitation_ros.console import console
    from imitation_ros.robot.spec import load_spec

    spec = load_spec(setup)
    check_namespace(namespace)
    discovery = ros_module("discovery")
    with console.status(f"listening for {seconds:g} s"):
        graph = discovery.listen_to_spec(spec, seconds, namespace)
    sys.exit(examine(spec, graph, output, namespace))


def record(
    setup: str,
    /,
    output: Path,
    append: bool = False,
    task: str = "",
    operator: str = "",
    episode_s: float = 0.0,
    reset_s: float = 0.0,
    on_gap: Literal["warn", "discard", "stop"] = "warn",
    buttons: str = "",
    record_bag: bool = False,
    namespace: str = "",
    joint_prefix: str = "",
    lockstep: bool = False,
    use_sim_time: bool = False,
) -> None:
    """Record a teleoperated robot: topics in, one HDF5 file per episode out.

    A terminal shows every field's health, and its keys start, end and undo episodes; so do foot pedals (--buttons), and
    `ros2 service call /recorder/start std_srvs/srv/Trigger`, and so on.

    Args:
        setup: a name in config/setups, or the path of a setup.
        output: the folder for the episodes.
        append: add to a folder that already holds episodes.
        task: what is demonstrated; the setup's task if empty.
        operator: who demonstrates.
        episode_s: longest episode [s]; 0: no limit.
        reset_s: after an episode, the next starts by itself so much later [s]; 0: it does not.
        on_gap: when a field falls silent in an episode: warn and mark, or end the episode: discard it, or stop before.
        buttons: what foot pedals or a joystick's buttons do: a name in config/operators, such as pedals, or a path.
        record_bag: write each episode's raw messages as an mcap beside it.
        namespace: where the node and the robot's topics are, such as left.
        joint_prefix: stands before joints and frames in messages, such as left_.
        lockstep: the simulator waits for each command.
        use_sim_time: take the time from /clock, as a simulator publishes it.
    """
    given: dict[str, Any] = {"setup": setup, "output": str(output), "append": append, "task": task}
    given = {**given, "operator": operator}
    given = {**given, "reset_s": reset_s, "on_gap": on_gap, "buttons": buttons, "record_bag": record_bag}
    given = {**given, "episode_s": episode_s, "joint_prefix": joint_prefix, "lockstep": lockstep}
    run_node("recorder_screen", "recorder", {**given, "use_sim_time": use_sim_time}, namespace=namespace)


def simulate(
    setup: str,
    /,
    gui: bool = False,
    lockstep: bool = False,
    real_time_factor: float = 1.0,
    disturbance: bool = False,
    randomisation: bool = False,
    seed: int = 0,
    purpose: Literal["train", "validation", "test", "rollout"] = "train",
    namespace: str = "",
) -> None:
    """Simulate a setup's robot behind its topics, with /clock.

    The topic `simulator/view` shows it to who looks, for instance with rqt_image_view.

    Args:
        setup: a name in config/setups, or the path of a setup.
        gui: show it in a window; needs a display.
        lockstep: step only after a command for the current tick, for programs that answer every observation.
        real_time_factor: simulated seconds per second, without lockstep.
        disturbance: add the scene's noise to what the robot executes.
        randomisation: vary masses, colours, cameras and more in every episode, as the scene says.
        seed: of the starts.
        purpose: of the starts; those of different purposes are disjoint.
        namespace: where the node and the robot's topics are, such as left.
    """
    given = {"setup": setup, "gui": gui, "lockstep": lockstep, "real_time_factor": real_time_factor, "seed": seed}
    given = {**given, "disturbance": disturbance, "randomisation": randomisation, "purpose": purpose}
    run_node("simulator_node", "SimulatorNode", given, namespace=namespace)


def operate(
    setup: str,
    /,
    by: Literal["expert", "keyboard", "joystick"] = "expert",
    recorder: str = "recorder",
    simulator: str = "simulator",
    use_sim_time: bool = False,
    layout: str = "joystick",
    episodes: int = 10,
    lockstep: bool = True,
    namespace: str = "",
) -> None:
    """Teleoperate a robot by keyboard or joystick, or let the task's scripted expert do it in the simulator.

    The keyboard is that of this terminal, which shows the keys. The joystick is what `ros2 run joy joy_node` publishes.

    Args:
        setup: a name in config/setups, or the path of a setup.
        by: expert (in the simulator), keyboard or joystick.
        recorder: the recorder node; empty: do not record.
        simulator: the simulator node, which the expert resets before each episode, a person by a key; empty: none.
        use_sim_time: keyboard and joystick: take the time from /clock, as a simulator publishes it.
        layout: joystick: what axes and buttons do, a name in config/operators, or a path.
        episodes: expert: how many demonstrations to give; failures are discarded and not counted.
        lockstep: expert: simulator and recorder work in lock-step too: every tick has to be recorded.
        namespace: where the node, recorder, simulator and the robot's topics are, such as left.
    """
    from imitation_ros.robot.spec import check_scene, load_spec

    given: dict[str, Any] = {"setup": setup, "recorder": recorder, "simulator": simulator}
    if by == "expert":
        given = {**given, "episodes": episodes, "lockstep": lockstep}
        check_scene(load_spec(setup), setup)
        run_node("operator_node", "OperatorNode", given, work="demonstrate", namespace=namespace)
    elif by == "keyboard":
        run_node("keyboard_node", "KeyboardNode", {**given, "use_sim_time": use_sim_time}, namespace=namespace)
    else:
        given = {**given, "layout": layout, "use_sim_time": use_sim_time}
        run_node("joystick_node", "JoystickNode", given, namespace=namespace)


def deploy(
    policy: Path,
    /,
    speed_scale: float = 1.0,
    check_start: bool = True,
    setup: str = "",
    namespace: str = "",
    joint_prefix: str = "",
    lockstep: bool = False,
    use_sim_time: bool = False,
) -> None:
    """Serve a policy to a robot: a lifecycle node that somebody else has to configure and activate.

    `ros2 lifecycle set /policy configure`, then `ros2 lifecycle set /policy activate`. This is no certified safety
    function: a hardware stop belongs in the circuit.

    Args:
        policy: the policy bundle.
        speed_scale: share of the velocity limits that is used.
        check_start: refuse a start that lies outside what was demonstrated.
        setup: take topics, time-outs and tighter limits from this setup of the same meaning; the policy's own if empty.
        namespace: where the node and the robot's topics are, such as left.
        joint_prefix: stands before joints and frames in messages, such as left_.
        lockstep: answer every observation; the simulator waits.
        use_sim_time: take the time from /clock, as a simulator publishes it.
    """
    given: dict[str, Any] = {"policy": str(policy), "speed_scale": speed_scale, "check_start": check_start}
    given = {**given, "setup": setup, "joint_prefix": joint_prefix, "lockstep": lockstep}
    run_node("policy_node", "PolicyNode", {**given, "use_sim_time": use_sim_time}, namespace=namespace)


def run_node(module: str, name: str, parameters: dict[str, Any], work: str | None = None, namespace: str = "") -> None:
    """Run a node in this process with parameters from the command line."""
    import functools

    check_namespace(namespace)
    spin = ros_module("node").spin
    node = getattr(ros_module(module), name)
    arguments = ["--ros-args", "-r", f"__ns:=/{namespace.strip('/')}"] if namespace else []
    make, run = functools.partial(node, parameters), None if work is None else getattr(node, work)
    sys.exit(spin(make, run, arguments))


def check_namespace(namespace: str) -> None:
    """Refuse what ROS would refuse with a traceback.

    Raises:
        SpecError: it is no namespace.
    """
    from imitation_ros.robot.field_yaml import check_topic

    if inner := namespace.strip("/"):
        check_topic(inner, "--namespace")


def ros_module(name: str) -> Any:
    """Return a module of imitation_ros.ros, or say how to get ROS."""
    import importlib

    try:
        return importlib.import_module(f"imitation_ros.ros.{name}")
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing != "rclpy" and not missing.endswith(("_msgs", "_srvs", "_interfaces")):
            raise  # see how_to_install
        raise ImitationRosError(
            f"this needs ROS 2, and {missing!r} is not there. On a robot: `source "
            f"/opt/ros/<distribution>/setup.bash`; without a ROS installation: `pip install 'imitation_ros[ros]'`."
        ) from None


def how_to_install(error: ModuleNotFoundError) -> str:
    """Return which extra brings a module that is not there; one of our own that is missing is our mistake."""
    if (error.name or "").startswith("imitation_ros"):
        raise error
    return f"this needs {error.name!r}, which is not installed: `pip install 'imitation_ros[train]'`."
