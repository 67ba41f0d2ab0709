"""What was heard of a graph, as fields: which topics become one, what they are called, what is seen, what is done."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from imitation_ros.drafting.probe import JOINT_QUANTITIES, PICTURE_FOR_PEOPLE, PLUMBING, Words, is_known, relative
from imitation_ros.robot.messages import COMPONENTS, JOINTED, QUANTITIES
from imitation_ros.robot.transforms import TransformTree
from imitation_ros.topic_facts import TF_MESSAGE, FieldFacts, GraphFacts, Timing, TopicFacts

COMMAND = re.compile(r"(^|[/_])(cmds?|commands?|setpoints?)($|[/_])|(^|/)joint_trajectory$")
COMMAND_TYPES = {"trajectory_msgs/msg/JointTrajectory", "control_msgs/msg/JointJog"}
COMMANDABLE = COMMAND_TYPES | {
    "geometry_msgs/msg/Twist",
    "geometry_msgs/msg/TwistStamped",
    "geometry_msgs/msg/Pose",
    "geometry_msgs/msg/PoseStamped",
    "sensor_msgs/msg/JointState",
    "std_msgs/msg/Float64",
    "std_msgs/msg/Float64MultiArray",
    "std_msgs/msg/Bool",
}
RATE_HZ = 20.0  # what people teleoperate at


@dataclass
class DraftField:
    """A field as it will be written, and what was heard of it.

    Attributes:
        role: observation; action; candidate (for an action: somebody listens and nobody says anything); other.
        words: word of the spec to its value, in order.
        comments: word to what stands behind it.
        notes: comment lines below the field.
    """

    name: str
    role: str
    topic: TopicFacts
    numbers: FieldFacts | None
    words: Words
    comments: dict[str, str] = dataclass_field(default_factory=dict)
    notes: list[str] = dataclass_field(default_factory=list)

    @property
    def timing(self) -> Timing:
        return self.topic.timing if self.numbers is None else self.numbers.timing

    @property
    def todos(self) -> list[str]:
        """What a person has to decide, a line each."""
        behind = [f"{word}: {text[6:]}" for word, text in self.comments.items() if text.startswith("TODO")]
        return behind + [note.split("# TODO: ", 1)[-1] for note in self.notes if "TODO" in note]


@dataclass
class Draft:
    """A robot to be: its fields, and the topics that cannot become one, each with why.

    Attributes:
        rate_from: what set rate_hz, in words.
        roles_guessed: nobody could be asked who publishes and who listens, as in a bag.
    """

    robot: str
    source: str
    rate_hz: float
    rate_from: str = "what people teleoperate at"
    roles_guessed: bool = False
    fields: list[DraftField] = dataclass_field(default_factory=list)
    left_out: list[tuple[str, str]] = dataclass_field(default_factory=list)
    tree: TransformTree = dataclass_field(default_factory=TransformTree)

    def of(self, role: str) -> list[DraftField]:
        return [field for field in self.fields if field.role == role]


def role_of(topic: str, facts: TopicFacts) -> str:
    if facts.type == "sensor_msgs/msg/Joy" or "executed" in topic:
        return "other"
    if facts.type in COMMAND_TYPES or (facts.type in COMMANDABLE and COMMAND.search(topic)):
        return "action"
    idle = bool(facts.subscribers) and not facts.publishers
    return "candidate" if idle and facts.type in COMMANDABLE else "observation"


def draft_robot(robot: str, graph: GraphFacts, namespace: str = "") -> Draft:
    """Return a robot with a field for each topic that was heard, and for each that somebody waits for."""
    draft = Draft(robot, graph.source, RATE_HZ, tree=graph.tree)
    draft.roles_guessed = not any(facts.publishers or facts.subscribers for facts in graph.topics.values())
    joints = joints_of(graph)
    for name, facts in sorted(graph.topics.items()):
        topic = relative(name, namespace)
        if name in PLUMBING or "/_" in name:
            continue
        if facts.type == TF_MESSAGE:
            continue  # the file says which frames there are
        role = role_of(topic, facts)
        why = why_not(topic, role, facts, namespace)
        if why:
            draft.left_out.append((name, why))
        elif facts.fields:
            draft.fields += [started(topic, role, facts, numbers, joints) for numbers in facts.fields]
        else:
            draft.fields.append(unheard(topic, role, facts, joints))
    if not draft.of("action"):
        for item in draft.of("candidate"):
            item.role = "action"  # better one to strike out than none
    draft.fields.sort(key=lambda item: ("shape" in item.words, item.words["type"] != "sensor_msgs/msg/JointState"))
    give_names(draft.fields)
    set_rate(draft)
    return draft


def set_rate(draft: Draft) -> None:
    """Tick no faster than the slowest image comes: the same one twice would tell a policy nothing new."""
    images = [item for item in draft.of("observation") if "shape" in item.words and item.timing.rate_hz is not None]
    for item in images:
        image_hz = item.timing.rate_hz or RATE_HZ
        rate_hz = max(5.0, math.floor(image_hz + 0.2))  # as measured, which is seldom round
        if rate_hz < draft.rate_hz:
            draft.rate_hz, draft.rate_from = rate_hz, f"set by {item.name}, which comes at {image_hz:.3g} Hz"


def joints_of(graph: GraphFacts) -> list[str]:
    """Return the joints of the first JointState: what a message that names none most likely commands."""
    for _, facts in sorted(graph.topics.items()):
        if facts.type == "sensor_msgs/msg/JointState" and facts.names:
            return list(next(iter(facts.names.values())))
    return []


def why_not(topic: str, role: str, facts: TopicFacts, namespace: str) -> str:
    """Say why a topic cannot become a field; '' if it can."""
    if not is_known(facts.type):
        return f"{facts.type}: no type that we record"
    if not topic:
        return f"{facts.type}: outside of the namespace {namespace}; remap it"
    if f"/{topic}".endswith(PICTURE_FOR_PEOPLE):
        return f"{facts.type}: the simulator's picture for people, which no robot has"
    if facts.unreadable:
        return f"{facts.type}: {facts.unreadable}"
    kinds = sorted({each.type for each in facts.publishers})
    if len(kinds) > 1:
        return f"published as {' and '.join(kinds)}; it can have one type only"
    if facts.fields or (role in ("action", "candidate") and not facts.count):
        return ""
    if facts.count:
        return f"{facts.type}: its messages hold no numbers"
    return f"{facts.type}: {'silent' if facts.publishers else 'nobody publishes it'}, so its numbers are not known"


def started(topic: str, role: str, facts: TopicFacts, numbers: FieldFacts, joints: list[str]) -> DraftField:
    """Return the field that was heard, with what its messages say; the other words follow in words.py."""
    field = numbers.field
    words: Words = {"topic": topic, "type": facts.type}
    comments = {}
    if COMPONENTS[facts.type] is None:
        laser = facts.type == "sensor_msgs/msg/LaserScan"
        words |= {"beams": field.width} if laser else {"names": list(field.names)}
    elif facts.type == "sensor_msgs/msg/Imu":
        words["names"] = list(field.names)
    if field.quantity != QUANTITIES.get(facts.type, "position") or facts.type in JOINTED:
        words["quantity"] = field.quantity
    if facts.type.startswith("std_msgs/msg/Float64"):
        words |= quantity_in_name(topic)
    if facts.type == "std_msgs/msg/Float64MultiArray" and role == "action" and len(joints) == field.width:
        words["names"], comments["names"] = joints, "TODO: is this the order of the message? It names none"
    words |= {} if field.shape is None else {"shape": list(field.shape)}
    words |= {} if field.rotation is None else {"rotation": field.rotation}
    further = field.quantity != facts.fields[0].field.quantity  # velocity and effort, beside position
    return DraftField("", "other" if further else role, facts, numbers, words, comments)


def quantity_in_name(topic: str) -> Words:
    """Return what numbers without a name are, as ros2_controllers call their topics: forward_velocity_controller."""
    found = [word for word in JOINT_QUANTITIES if word in topic]
    return {"quantity": found[0]} if found else {}


def unheard(topic: str, role: str, facts: TopicFacts, joints: list[str]) -> DraftField:
    """Return a field of which no message came, only its type."""
    words: Words = {"topic": topic, "type": facts.type}
    comments = {}
    if facts.type.startswith("std_msgs/msg/Float64"):
        words |= quantity_in_name(topic)
    if COMPONENTS[facts.type] is None:
        words["names"] = joints or ["joint1"]
        comments["names"] = "TODO: no message came; which joints, in the order of the message?"
    return DraftField("", role, facts, None, words, comments)


def give_names(fields: list[DraftField]) -> None:
    """Name each field after its topic, or after its joints where one topic has all of them."""
    states = {item.words["topic"] for item in fields if item.words["type"] == "sensor_msgs/msg/JointState"}
    taken: set[str] = set()
    for item in fields:
        topic, joints = item.words["topic"], item.words.get("names", [])
        if len(states) == 1 and topic in states:
            part = "gripper" if all("finger" in name or "gripper" in name for name in joints) else "joint"
            name = f"{part}_{item.words.get('quantity', 'position')}"
        else:
            name = re.sub(r"(?<=_controller)/(commands?|joint_trajectory)$", "", topic)
            name = re.sub(r"_(raw|compressed)$", "", name.replace("/", "_"))
            name += f"_{item.words['quantity']}" if item.role == "other" and "quantity" in item.words else ""
        while name in taken:
            name += "_2"
        taken.add(name)
        item.name = name
