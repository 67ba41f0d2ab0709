"""A setup's topics, judged: who publishes and hears them, as which type, and what comes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from imitation_ros.checkup.messages import beyond, healthy, in_force, numbers_of, rates, refused, split, stamps
from imitation_ros.checkup.row import WRONG, Row, ok, warning, wrong
from imitation_ros.errors import did_you_mean
from imitation_ros.readiness import unheld_actions, unstoppable_actions
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.topic_facts import Endpoint, GraphFacts, TopicFacts, full_name, message_type

ONLY_LISTEN = ("recorder", "rosbag2_recorder", "_ros2cli")  # nodes that hear a command and move nothing
STOPPED_S = 1.0
LISTED = 6


def judge_topics(spec: RobotSpec, graph: GraphFacts, namespace: str = "") -> list[Row]:
    """Return at least one row per field; the worst of a field first."""
    if not any(facts.publishers or facts.subscribers for facts in graph.topics.values()):
        return [nobody(graph)]
    rows: list[Row] = []
    for field in spec.fields:
        facts = graph.topics[full_name(field, namespace)]
        judge = judge_action if field in spec.action else judge_observation
        rows += sorted(judge(field, spec, graph, facts), key=lambda row: row.state != WRONG)
    return rows


def nobody(graph: GraphFacts) -> Row:
    others = ", ".join(sorted(graph.others)[:LISTED])
    found = f"none of the setup's {len(graph.topics)} topics has anybody; there is {others or 'no other topic'}"
    return wrong("graph", found, "start the driver; same ROS_DOMAIN_ID, same namespace?")


def judge_observation(field: Field, spec: RobotSpec, graph: GraphFacts, facts: TopicFacts) -> list[Row]:
    if not facts.publishers and not (field.type == "tf" and graph.tree.edges):
        found = f"nobody publishes {field.topic}{hint(field, spec, graph)}"
        return [wrong(field.name, found, "start its driver, or mend `topic`; `ros2 topic list`")]
    rows = [*wrong_type(field, facts)] or [*silent(field, facts)]
    if rows:
        return rows
    if field.type == "tf":
        return [judge_transform(field, graph, facts)]
    numbers = numbers_of(field, facts)
    rows = [*refused(field, facts, numbers), *stamps(field, numbers, graph.sim_time)]
    rows += rates(field, spec, numbers, graph.sim_time)
    return rows or [ok(field.name, healthy(field, numbers, facts))]


def judge_action(field: Field, spec: RobotSpec, graph: GraphFacts, facts: TopicFacts) -> list[Row]:
    if not facts.publishers and not hearers_of(facts):
        found = f"nobody hears or commands {field.topic} yet{hint(field, spec, graph)}"
        return [warning(field.name, found, "start driver and teleoperation, and check again")]
    rows = [*wrong_type(field, facts)] or [*connections(field, facts), *commands(field, facts, graph.sim_time)]
    rows += undeployable(field, spec)
    if rows:
        return rows
    heard_by = f"heard by {named(facts.subscribers)}"
    if not facts.publishers:
        return [ok(field.name, f"{heard_by}; nobody commands yet", "to record, start teleoperation")]
    return [ok(field.name, f"{healthy(field, numbers_of(field, facts), facts)}; {heard_by}")]


def commands(field: Field, facts: TopicFacts, sim_time: bool) -> Iterator[Row]:
    """Judge what was commanded while we listened."""
    numbers = numbers_of(field, facts)
    if facts.unreadable:
        yield wrong(field.name, *split(facts.unreadable))
    elif facts.count:
        yield from (*refused(field, facts, numbers), *stamps(field, numbers, sim_time))
        yield from (*beyond(field, numbers), *in_force(field, numbers))
    elif facts.publishers:
        yield warning(field.name, f"{named(facts.publishers)} commands it, but nothing came", "move, and check again")


def connections(field: Field, facts: TopicFacts) -> Iterator[Row]:
    """Judge who commands and who hears it: DDS connects nobody who asks for more than is offered."""
    hearers = hearers_of(facts)
    if facts.publishers and not hearers:
        found = f"{named(facts.publishers)} commands, but no robot hears {field.topic}"
        yield wrong(field.name, found, f"start the driver, or mend `topic`; `ros2 topic info -v {field.topic}`")
    for hearer in hearers:
        for each in facts.publishers:
            if not hearer.hears(each):
                found = f"{hearer.node} cannot hear {each.node}: it asks for {qos(hearer)} and gets {qos(each)}"
                yield wrong(field.name, found, f"let {each.node} publish {qos(hearer)}")
        if hearer.durable:
            found = f"{hearer.node} asks for transient local, so it would not hear the policy node"
            yield wrong(field.name, found, "let it subscribe volatile")
    if len(facts.publishers) > 1:
        found = f"{len(facts.publishers)} publishers: {named(facts.publishers)}"
        yield warning(field.name, found, "keep one: a recording mixes them, and deploying is refused")
    if any(not each.reliable for each in facts.publishers) and all(not each.reliable for each in hearers):
        found = f"{named(facts.publishers)} commands best effort: what gets lost is a lost label"
        yield warning(field.name, found, "publish commands reliable")


def hearers_of(facts: TopicFacts) -> list[Endpoint]:
    """Return who hears a command and may move by it."""
    return [each for each in facts.subscribers if not each.node.startswith(ONLY_LISTEN)]


def undeployable(field: Field, spec: RobotSpec) -> Iterator[Row]:
    for line in (*unstoppable_actions(spec), *unheld_actions(spec)):
        if line.startswith(repr(field.name)):
            found, to_do = split(line.removeprefix(f"{field.name!r} is "))
            yield warning(field.name, f"a policy may not drive it: {found.split(':')[0]}", to_do or "record only")


def hint(field: Field, spec: RobotSpec, graph: GraphFacts) -> str:
    executed = {each.executed_topic for each in spec.action}  # theirs, so nobody meant them
    others = [name for name in (other.lstrip("/") for other in graph.others) if name not in executed]
    return did_you_mean(field.topic, others).replace(" Did", ". Did").rstrip("?")


def named(ends: list[Endpoint]) -> str:
    return ", ".join(sorted({each.node for each in ends})) or "nobody"


def qos(end: Endpoint) -> str:
    return ("reliable" if end.reliable else "best effort") + (", transient local" if end.durable else "")


def wrong_type(field: Field, facts: TopicFacts) -> Iterator[Row]:
    wanted, ends = message_type(field), [*facts.publishers, *facts.subscribers]
    for kind in sorted({each.type for each in ends} - {wanted}):
        nodes = [each for each in ends if each.type == kind]
        found = f"{field.topic} is a {kind} for {named(nodes)}; the setup says {wanted}"
        yield wrong(field.name, found, f"set `type: {kind}`, or mend the node")


def silent(field: Field, facts: TopicFacts) -> Iterator[Row]:
    look = f"`ros2 topic hz {field.topic}`"
    if facts.unreadable:
        yield wrong(field.name, *split(facts.unreadable))
    elif not facts.count:
        yield wrong(field.name, f"{named(facts.publishers)} publishes {field.topic}, but no message came", look)
    elif facts.silent_s > max(STOPPED_S, 2.0 * field.max_age_s):
        yield wrong(field.name, f"{field.topic} stopped {facts.silent_s:.1f} s ago", look)


def judge_transform(field: Field, graph: GraphFacts, facts: TopicFacts) -> Row:
    parent, child = field.frame_id or "", field.child_frame_id or ""
    placed = graph.tree.look_up(parent, child)
    if placed is None:
        return wrong(field.name, *split(graph.tree.why_not(parent, child), "; "))
    rate = "static" if placed.stamp_s is None else f"tf at {facts.timing.rate_hz or 0.0:.3g} Hz"
    return ok(field.name, f"{rate}, {child} in {parent}")
