"""Values on their way from a bag to the recorder: only those that a tick takes are decoded.

A robot says where its joints are some hundred times a second, and a tick takes one of them. Which one, the sampler's
own rule says, on stamps and log times alone. A message that cannot be read is never a value, live or here: the one
before it is taken then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from imitation_ros.data.bag import Bag, stamp_at_start
from imitation_ros.errors import MessageError
from imitation_ros.recording.arrivals import forget_idle
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import STAMPED, names_no_joint_of, read, stamp_s
from imitation_ros.robot.sampler import Sampler, Value, taken
from imitation_ros.robot.spec import RobotSpec

Put = Callable[[str, Any, float | None, float], None]
LEAST_BYTES = 12  # of a message that begins with a stamp


class Undecoded:
    """A message's bytes, and the message once somebody looked; several fields may be read from one.

    Attributes:
        given: the fields of which the recorder was given the value.
    """

    __slots__ = ("data", "given", "message")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.message: Any = None
        self.given: tuple[str, ...] = ()


class Decoder:
    """Turns the bytes of a bag's messages into messages and values.

    Args:
        note: is told, in words, what cannot be read.
    """

    def __init__(self, bag: Bag, note: Callable[[str], None]) -> None:
        self.types, self.decode_cdr, self.note = bag.types, bag.decoder.decode, note
        self.begins_with_stamp = bag.decoder.begins_with_stamp
        self.read_names: set[str] = set()  # the fields of which a value was read

    def decode(self, topic: str, data: bytes) -> Any:
        """Return a message, or None for one whose bytes are broken."""
        try:
            return self.decode_cdr(data, self.types[topic])
        except Exception as error:  # broken bytes raise anything
            self.note(f"{topic}: a message cannot be decoded: {' '.join(str(error).split()) or type(error).__name__}")
            return None

    def value(self, message: Any, field: Field) -> Any:
        """Return a field's value, or None where the message does not hold one."""
        try:
            data = read(message, field)
        except MessageError as error:
            self.refused(message, field, error)
            return None
        except (AttributeError, TypeError, ValueError, IndexError) as error:  # bytes that decode to nonsense
            self.note(f"{field.name!r} ({field.topic}): a message cannot be read: {error}")
            return None
        self.read_names.add(field.name)
        return data

    def refused(self, message: Any, field: Field, error: MessageError) -> None:
        """Say what is wrong, but for another driver's message on the same topic: an arm's and a gripper's share it."""
        if not (field.name in self.read_names and names_no_joint_of(message, field)):
            self.note(str(error))


class Sieve:
    """Takes undecoded messages, and hands the values on to the recorder that its ticks take.

    Args:
        fields: topic to the fields that are read from its messages.
        seen: the names of those that are observations; the others are commands.
        put: the recorder's.
    """

    def __init__(
        self, spec: RobotSpec, fields: dict[str, list[Field]], seen: set[str], decoder: Decoder, put: Put
    ) -> None:
        self.decoder, self.put_on = decoder, put
        each = [field for together in fields.values() for field in together]
        observation = [field for field in each if field.name in seen]
        action = [field for field in each if field.name not in seen]
        self.sampler = Sampler(observation, action, spec.period_s, spec.wait_s)
        self.topic_of = {field.name: topic for topic, together in fields.items() for field in together}
        self.fields = fields
        self.stamped = {topic for topic, together in fields.items() if decoder.begins_with_stamp(together[0].type)}
        self.at_once = {  # whose stamp is elsewhere, or may be missing: both only the message says
            topic
            for topic, together in fields.items()
            if (together[0].type in STAMPED and topic not in self.stamped)
            or any(field.stamp == "required" for field in together)
        }

    def put(self, topic: str, data: bytes, received_s: float) -> Undecoded | None:
        """Take a message; only its stamp is read, where it is the first thing in it. Return it, or None if refused."""
        held = Undecoded(data)
        found_s: float | None = None
        refused = 0
        if topic in self.at_once or len(data) < LEAST_BYTES:
            held.message = self.decoder.decode(topic, data)
            if held.message is None:
                return None
        elif topic in self.stamped:
            found_s = stamp_at_start(data)
        for field in self.fields[topic]:
            try:
                if held.message is not None:
                    found_s = stamp_s(held.message, field)
                given_s = None if field.stamp == "received" else found_s
                self.sampler.put(field.name, held, given_s, received_s)  # type: ignore[arg-type]
            except MessageError as error:
                self.decoder.note(str(error))
                refused += 1
        return None if refused == len(self.fields[topic]) else held

    def hand_on(self, tick_s: float) -> None:
        """Give the recorder what a tick takes of each field."""
        by_s = tick_s + self.sampler.wait_s
        for name, stream in self.sampler.observation.items():
            while (index := stream.index_at(tick_s, by_s)) is not None:
                if self.hand_on_value(name, stream.values[index]):
                    break
                del stream.values[index]
            stream.forget_before(tick_s, by_s)
        end_s = tick_s + self.sampler.period_s
        for name, stream in self.sampler.action.items():
            while bad := [
                value
                for value in taken(stream, tick_s, self.sampler.period_s, self.sampler.wait_s)
                if not self.hand_on_value(name, value)
            ]:
                stream.values[:] = [value for value in stream.values if not any(value is each for each in bad)]
            stream.forget_before(tick_s, end_s + self.sampler.wait_s)

    def hand_on_newest(self) -> None:
        """Give the recorder the newest of each field: it asks for them before an episode."""
        for name, stream in self.sampler.observation.items():
            while stream.values and not self.hand_on_value(name, stream.values[-1]):
                del stream.values[-1]

    def hand_on_value(self, name: str, value: Value) -> bool:
        """Give the recorder one value; return whether it could be read."""
        held: Any = value.data
        if name in held.given:
            return True
        data = self.value_of(held, self.topic_of[name], self.sampler.stream(name).field)
        if data is None:
            return False
        self.put_on(name, data, value.stamp_s, value.received_s)
        held.given = (*held.given, name)
        if len(held.given) == len(self.fields[self.topic_of[name]]):
            held.message, held.data = None, b""  # nobody looks again
        return True

    def value_of(self, held: Undecoded, topic: str, field: Field) -> Any:
        """Return a field's value in a message, or None where there is none."""
        if held.message is None:
            held.message = self.decoder.decode(topic, held.data)
        return None if held.message is None else self.decoder.value(held.message, field)

    def forget(self, now_s: float) -> None:
        """Drop what no episode that begins from now on can need."""
        forget_idle(self.sampler, now_s)


def topics_of(fields: Iterable[Field], full_name: Callable[[Field], str]) -> dict[str, list[Field]]:
    """Return topic to the fields that are read from it, in their order."""
    found: dict[str, list[Field]] = {}
    for field in fields:
        found.setdefault(full_name(field), []).append(field)
    return found
