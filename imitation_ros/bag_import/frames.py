"""tf in a bag: where one frame is in another, as the recorder hears it live."""

from __future__ import annotations

from typing import Any

from imitation_ros.bag_import.sieve import Decoder, Put
from imitation_ros.errors import MessageError
from imitation_ros.robot.field import Field
from imitation_ros.robot.transforms import FieldTransforms

STATIC = "_static"


class Frames:
    """Takes the messages of tf's topics, and hands the values of the fields that are looked up in them to the recorder.

    Args:
        fields: topic to the tf fields that are looked up in its tree.
        put: the recorder's.
    """

    def __init__(self, fields: dict[str, list[Field]], decoder: Decoder, put: Put) -> None:
        self.transforms = {topic: FieldTransforms(each) for topic, each in fields.items()}
        self.topics = [name for topic in fields for name in (topic, topic + STATIC)]
        self.decoder, self.put_on = decoder, put

    def hear(self, topic: str, data: bytes, now_s: float) -> None:
        message = self.decoder.decode(topic, data)
        if message is not None:
            transforms = self.transforms[topic.removesuffix(STATIC)]
            for field, value, found_s in transforms.put(message, static=topic.endswith(STATIC)):
                self.put(field, value, found_s, now_s)

    def stand(self, now_s: float) -> None:
        """Say that what only static transforms connect still holds."""
        for transforms in self.transforms.values():
            for field, value in transforms.standing():
                self.put(field, value, now_s, now_s)

    def put(self, field: Field, value: Any, found_s: float | None, now_s: float) -> None:
        try:
            self.put_on(field.name, value, found_s, now_s)
        except MessageError as error:
            self.decoder.note(str(error))
