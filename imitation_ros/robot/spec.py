"""The robot spec: one description of observation and action that travels with the data.

A robot file says what a robot has, a setup file what one job uses of it; merged they are the
RobotSpec. The recorder writes it into every file, training copies it into the policy, deployment
reads it there, so training and serving cannot disagree about meaning.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.paths import find_file, is_file
from imitation_ros.robot.field import Field
from imitation_ros.robot.field_yaml import field_to_dict, is_number, parse_field
from imitation_ros.robot.parts import with_parts
from imitation_ros.robot.strict_yaml import check_names, load_yaml, parse_yaml

ROBOT_WORDS = {"robot", "rate_hz", "wait_s", "fields"}
ROBOT_FILE_WORDS = ROBOT_WORDS | {"parts"}
SETUP_WORDS = ROBOT_WORDS | {"setup", "task", "scene", "observation", "action"}


@dataclass(frozen=True)
class RobotSpec:
    """What makes up the observation and the action: order, unit, frame, rate.

    Attributes:
        name: the setup's name.
        robot: the robot's name.
        rate_hz: ticks per second.
        wait_s: how long after a tick late messages are waited for [s].
        observation: the fields that a policy sees, in order.
        action: the fields that a policy chooses, in order.
        task: what is to be done, for people and for the simulator; may be empty.
        scene: the simulator's scene; may be empty.
    """

    name: str
    robot: str
    rate_hz: float
    observation: tuple[Field, ...]
    action: tuple[Field, ...]
    wait_s: float = 0.02
    task: str = ""
    scene: str = ""

    @property
    def period_s(self) -> float:
        return 1.0 / self.rate_hz

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.observation + self.action

    def field(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        names = [field.name for field in self.fields]
        raise SpecError(f"{self.name} has no field {name!r}.{did_you_mean(name, names)} It has {', '.join(names)}.")

    def meaning(self, shared: Collection[str] | None = None) -> dict[str, Any]:
        """Return what must match exactly between data, policy and robot, flat: 'field.word' to value.

        Args:
            shared: leave out fields that are not among these; None: of all.
        """
        observation, action = (
            [field for field in fields if shared is None or field.name in shared]
            for fields in (self.observation, self.action)
        )
        flat: dict[str, Any] = {
            "rate_hz": self.rate_hz,
            "observation": [field.name for field in observation],
            "action": [field.name for field in action],
        }
        for field in (*observation, *action):
            flat.update({f"{field.name}.{word}": value for word, value in field.meaning().items()})
        return flat

    def differences(self, other: RobotSpec) -> list[str]:
        """Return a line per difference in meaning, 'what: mine != theirs'; empty means that they agree.

        Fields that only one of them has are named in a line, and their words are not compared.
        """
        names, others = ([field.name for field in spec.fields] for spec in (self, other))
        shared = {*names} & {*others}
        lines = []
        for which, found in (("first", names), ("second", others)):
            if only := [name for name in found if name not in shared]:
                lines.append(f"only in the {which}: {', '.join(only)}")
        mine, theirs = self.meaning(shared), other.meaning(shared)
        changed = [word for word in mine if mine[word] != theirs[word]]
        return [*lines, *(f"{word}: {shown(mine[word])} != {shown(theirs[word])}" for word in changed)]

    def to_yaml(self) -> str:
        """Return the merged spec as YAML, which spec_from_yaml reads back to an equal one."""
        data = {
            "setup": self.name,
            "robot": self.robot,
            "rate_hz": self.rate_hz,
            "wait_s": self.wait_s,
            "task": self.task,
            "scene": self.scene,
            "observation": [field.name for field in self.observation],
            "action": [field.name for field in self.action],
            "fields": {field.name: field_to_dict(field) for field in self.fields},
        }
        return yaml.safe_dump(data, sort_keys=False)


def shown(value: Any) -> str:
    """Return a value of the spec as a person reads it: nothing is not left blank."""
    if isinstance(value, str):
        return value or "''"
    return "none" if value is None or value in ((), []) else str(value)


def load_spec(setup: str | Path) -> RobotSpec:
    """Return the spec of a setup: a path, or a name in config/setups; merged with its robot.

    Raises:
        SpecError: names the file, the field, what was found and what is allowed.
    """
    setup_path = find_file("config/setups", setup)
    data = load_yaml(setup_path)
    if {"fields", "rate_hz"} <= {*data} and not {"setup", "observation", "action"} & {*data}:
        raise SpecError(
            f"{setup_path} is a robot file: it says what the robot has, not what a policy sees and chooses. Give a "
            f"setup of it: a file with `robot: {setup_path.name}`, `observation:` and `action:`."
        )
    check_names(data, SETUP_WORDS, str(setup_path))
    named = text(data, "robot", str(setup_path))
    if not named and "fields" in data:  # it says everything itself
        return merge({"robot": setup_path.stem}, data, str(setup_path), str(setup_path))
    if not named:
        raise SpecError(
            f"{setup_path} has no `robot`. Name one of config/robots, give a path, or write `fields:` into this file."
        )
    robot, robot_path = load_robot(named, setup_path.parent)
    whole = with_parts(robot, str(robot_path), lambda part: load_robot(part, robot_path.parent)[0])
    return merge(whole, data, str(robot_path), str(setup_path))


def check_scene(spec: RobotSpec, setup: str) -> None:
    """Refuse a setup that only a real robot has, where a simulator is needed.

    Raises:
        SpecError: it has no scene.
    """
    if not spec.scene:
        raise SpecError(
            f"the setup {setup} has no `scene:`, so it cannot be simulated. Add one, or give a setup that has one."
        )


def load_robot(named: str, folder: Path) -> tuple[dict[str, Any], Path]:
    """Return what a robot file holds, and where it is: a path in a folder, or a name in config/robots."""
    beside = folder / named
    path = find_file("config/robots", beside if is_file(beside) else named)
    data = load_yaml(path)
    check_names(data, ROBOT_FILE_WORDS, str(path))
    return data, path


def spec_from_yaml(text: str, source: str) -> RobotSpec:
    """Return the spec that RobotSpec.to_yaml wrote; `source` names the file in errors."""
    data = parse_yaml(text, source)
    check_names(data, SETUP_WORDS, source)
    return merge({}, data, source, source)


def merge(robot: Mapping[str, Any], setup: Mapping[str, Any], robot_file: str, setup_file: str) -> RobotSpec:
    """Return one spec: the robot's fields, then what the setup adds to them or changes in them."""
    robot_fields, setup_fields = robot.get("fields") or {}, setup.get("fields") or {}
    for source, found in ((robot_file, robot_fields), (setup_file, setup_fields)):
        if not isinstance(found, Mapping):
            raise SpecError(f"{source}: fields holds {found!r}; it should hold one `name: {{...}}` per field.")
    fields: dict[str, Field] = {}
    for name in dict.fromkeys([*robot_fields, *setup_fields]):
        file = setup_file if name in setup_fields else robot_file
        changed = setup_fields.get(name, {})
        if not isinstance(changed, Mapping):
            raise SpecError(f"{file}: field {name!r} holds {changed!r}; it should hold `topic:`, `type:` and more.")
        if name in robot_fields and isinstance(robot_fields[name], Mapping):
            fields[name] = parse_field(name, merge_field(robot_fields[name], changed), file)
        else:
            fields[name] = parse_field(name, setup_fields.get(name, robot_fields.get(name)), file)
    observation = choose(fields, setup.get("observation"), "observation", setup_file)
    action = choose(fields, setup.get("action"), "action", setup_file)
    check_together(observation, action, setup_file)
    merged = {**robot, **setup}
    return RobotSpec(
        name=text(setup, "setup", setup_file) or Path(setup_file).stem,
        robot=text(robot, "robot", robot_file) or text(setup, "robot", setup_file),
        rate_hz=number(merged, "rate_hz", setup_file, robot_file, at_least=0.1),
        wait_s=number({"wait_s": 0.02, **merged}, "wait_s", setup_file, robot_file, at_least=0.0),
        observation=observation,
        action=action,
        task=text(setup, "task", setup_file),
        scene=text(setup, "scene", setup_file),
    )


def check_together(observation: tuple[Field, ...], action: tuple[Field, ...], setup_file: str) -> None:
    """Refuse fields that are well by themselves, but not beside each other, or not as an action."""
    both = [field.name for field in observation if field in action]
    if both:
        raise SpecError(
            f"{setup_file}: {both[0]!r} is both observation and action. Give one of them a name of its own."
        )
    for field in action:
        if field.is_image or field.type == "tf":
            raise SpecError(f"{setup_file}: the action {field.name!r} is a {field.type}, which commands nothing.")
        _ = field.scale  # an action without a scale is refused here, by name
    topics = [field.topic for field in action]
    for topic in topics:
        if topics.count(topic) > 1:
            raise SpecError(f"{setup_file}: two actions are published on {topic!r}. Make them one field.")
    type_of: dict[str, str] = {}
    for field in (*observation, *action):
        if type_of.setdefault(field.topic, field.type) != field.type:
            raise SpecError(f"{setup_file}: {field.topic!r} is {type_of[field.topic]} and {field.type}. Keep one type.")


def merge_field(robot: Mapping[str, Any], setup: Mapping[str, Any]) -> dict[str, Any]:
    """Return a robot's field with a setup's changes; one limit that a setup tightens leaves the others as they are."""
    merged = {**robot, **setup}
    if isinstance(robot.get("limits"), Mapping) and isinstance(setup.get("limits"), Mapping):
        merged["limits"] = {**robot["limits"], **setup["limits"]}
    return merged


def choose(fields: Mapping[str, Field], names: Any, word: str, file: str) -> tuple[Field, ...]:
    """Return the fields that the setup lists, in its order."""
    if not isinstance(names, list) or not names:
        raise SpecError(f"{file}: {word} is {names!r}; it should be a list of fields: {', '.join(fields)}.")
    for name in names:
        if not isinstance(name, str) or name not in fields:
            hint = did_you_mean(str(name), fields)
            raise SpecError(f"{file}: {word} names {name!r}, which is no field.{hint} Fields: {', '.join(fields)}.")
        if names.count(name) > 1:
            raise SpecError(f"{file}: {word} names {name!r} twice.")
    return tuple(fields[name] for name in names)


def number(data: Mapping[str, Any], word: str, setup_file: str, robot_file: str, at_least: float) -> float:
    value = data.get(word)
    if not is_number(value) or not at_least <= value < math.inf:
        raise SpecError(
            f"{setup_file} (with {robot_file}): {word} is {value!r}; it should be a number of at least {at_least:g}."
        )
    return float(value)


def text(data: Mapping[str, Any], word: str, file: str) -> str:
    """Return a text that may be missing, as ''."""
    value = data.get(word)
    if value is not None and not isinstance(value, str):
        raise SpecError(f"{file}: {word} is {value!r}; it should be a text. Put it in quotes.")
    return value or ""
