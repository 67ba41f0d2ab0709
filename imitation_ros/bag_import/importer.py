"""One bag into episodes: its messages reach the recorder as they would from topics, at their log times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from imitation_ros.bag_import.cuts import DISCARD, FAILURE, START, STOP, SUCCESS, TOGGLE, Cuts, TimesCut, TopicCut
from imitation_ros.bag_import.frames import Frames
from imitation_ros.bag_import.sieve import Decoder, Sieve, topics_of
from imitation_ros.bag_import.tally import Imported, Tally
from imitation_ros.data.bag import Bag
from imitation_ros.errors import MessageError, RecordingError
from imitation_ros.recording import Recorder, executed_fields
from imitation_ros.recording.arrivals import forget_everything
from imitation_ros.recording.guarding import GAP_S
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import stamp_s
from imitation_ros.robot.sampler import SAME_TIME_S
from imitation_ros.topic_facts import full_name

PER_S = 1e-9
HOLD_S = 2.0  # of messages after a command, before the bag is asked when the next one comes
LATEST_S = 2 * SAME_TIME_S  # a message that comes at the instant at which a tick is due still counts
IDLE_S = 0.5  # how often what no episode can need is dropped
STAND_S = 0.1  # how often static transforms say that they still hold, as live
CLOCK = "/clock"
SHOW_EVERY = 500  # messages


class BagImport:
    """Feeds the messages of one bag to a recorder, and starts and stops it.

    Args:
        recorder: a new one, in real time.
        cuts: where episodes begin and end.
        cut_topic: the full name of the topic that says so; empty without.
        sim_time: times are those of /clock.
    """

    def __init__(
        self, bag: Bag, recorder: Recorder, cuts: Cuts, cut_topic: str, namespace: str, tally: Tally, sim_time: bool
    ) -> None:
        self.bag, self.recorder, self.cuts, self.cut_topic, self.tally = bag, recorder, cuts, cut_topic, tally
        self.sim_time = sim_time
        spec = recorder.spec

        def named(field: Field) -> str:
            return full_name(field, namespace)

        self.labels = topics_of(spec.action, named)
        seen = [field for field in spec.observation if field.type != "tf"]
        fields = topics_of([*seen, *spec.action, *executed_fields(spec)], named)
        frames = topics_of((field for field in spec.observation if field.type == "tf"), named)
        self.decoder = Decoder(bag, tally.note)
        self.sieve = Sieve(spec, fields, {field.name for field in seen}, self.decoder, recorder.put)
        self.frames = Frames(frames, self.decoder, recorder.put)
        self.handlers: dict[str, list[Callable[[str, bytes, float], object]]] = {}
        for topics, handler in (
            ((cut_topic,) if cut_topic else (), self.hear_cut),
            (fields.keys() - self.labels.keys(), self.sieve.put),
            (self.frames.topics, self.frames.hear),
            (self.labels, self.hear_command),
        ):
            for topic in topics:
                self.handlers.setdefault(topic, []).append(handler)
        self.topic_cut = TopicCut(cuts.button)
        self.times = TimesCut(cuts.spans, bag.start_s)
        self.grace_s = spec.period_s + spec.wait_s  # from a command until its tick can be closed
        self.hold_s = min(HOLD_S, cuts.gap_s)
        self.asked_s: float | None = None  # since when an episode is wanted
        self.refused = ""  # why it does not begin yet
        self.command_s = -math.inf  # when the last command was received
        self.commanded_until_s = -math.inf  # until when the bag is known to go on with commands
        self.due_s = -math.inf  # when there is something to do at the latest
        self.stood_s = self.forgot_s = -math.inf
        self.now_s = bag.start_s
        self.log_s = bag.start_s  # the same on the wall's clock

    def run(self, show: Callable[[float], None]) -> None:
        """Import the bag; `show` is told how far it is [s]."""
        handlers, count = self.handlers, 0
        for topic, data, now_s in self.timed():
            count += 1
            if now_s - self.now_s > GAP_S:
                self.jump(f"nothing was recorded for {now_s - self.now_s:.0f} s", "gap")
            if now_s >= self.due_s:
                self.advance(now_s)
            self.now_s = now_s
            for handler in handlers[topic]:
                handler(topic, data, now_s)
            if count % SHOW_EVERY == 0:
                show(self.log_s - self.bag.start_s)
        self.tally.messages += count
        self.finish()
        show(self.bag.end_s - self.bag.start_s)

    def timed(self) -> Iterator[tuple[str, bytes, float]]:
        """Yield topic, bytes and the time at which the recorder would have received them [s]."""
        if not self.sim_time:
            for log_ns, topic, data in self.bag.raw(self.handlers):
                self.log_s = now_s = log_ns * PER_S
                yield topic, data, now_s
            return
        clock_s = 0.0
        for log_ns, topic, data in self.bag.raw({*self.handlers, CLOCK}):
            self.log_s = log_ns * PER_S
            if topic == CLOCK:
                message = self.decoder.decode(topic, data)
                if message is None:
                    continue
                before_s, clock_s = clock_s, message.clock.sec + 1e-9 * message.clock.nanosec
                if clock_s < before_s:
                    self.jump(f"{CLOCK} went back by {before_s - clock_s:.1f} s", "clock")
                    self.forget_everything(clock_s)
            elif clock_s:
                yield topic, data, clock_s
            else:
                self.tally.note(f"{topic}: a message came before the first {CLOCK}")

    # time

    def advance(self, now_s: float) -> None:
        """Do everything that is due by a time."""
        while (event := self.times.take(now_s, self.wanted)) is not None:
            self.close_ticks(event.time_s)
            if event.success is not None and self.recorder.open is not None:
                self.recorder.mark_success(event.success)
            self.do(event.word, event.time_s)
        self.close_ticks(now_s)
        if self.frames.topics and now_s >= self.stood_s + STAND_S:
            self.stood_s = now_s
            self.frames.stand(now_s)

    @property
    def wanted(self) -> bool:
        """Whether an episode is open, or asked for."""
        return self.asked_s is not None or self.recorder.open is not None

    def close_ticks(self, now_s: float) -> None:
        """Write every tick that is due, as far as the episode is known to go on."""
        if self.recorder.open is None:
            if now_s >= self.forgot_s + IDLE_S:
                self.recorder.close_ticks(now_s)
                self.sieve.forget(now_s)
                self.forgot_s = now_s
            self.plan(self.forgot_s + IDLE_S)
            return
        until_s = now_s
        if self.cuts.by_commands:
            if now_s - self.command_s > self.hold_s and now_s > self.commanded_until_s:
                self.look_ahead()
            if self.recorder.open is None:
                return
            until_s = min(now_s, max(self.command_s + self.grace_s, self.commanded_until_s))
        self.write_until(until_s - LATEST_S)
        self.plan(self.next_due_s())

    def write_until(self, until_s: float) -> None:
        """Write the ticks that were due by a time."""
        while (episode := self.recorder.open) is not None and (due_s := episode.next_tick_s + self.grace_s) <= until_s:
            self.sieve.hand_on(episode.next_tick_s)
            self.recorder.write_due(due_s)

    def next_due_s(self) -> float:
        assert self.recorder.open is not None
        due_s = self.recorder.open.next_tick_s + self.grace_s + LATEST_S
        if not self.cuts.by_commands or due_s <= max(self.command_s + self.grace_s, self.commanded_until_s):
            return due_s
        return max(self.command_s + self.hold_s, self.commanded_until_s)

    def plan(self, due_s: float) -> None:
        due_s = min(due_s, self.times.next_s(self.wanted))
        self.due_s = min(due_s, self.stood_s + STAND_S) if self.frames.topics else due_s

    def look_ahead(self) -> None:
        """Ask the bag when the next command comes: until then the episode goes on in silence, or it ended."""
        after_s = max(self.command_s, self.commanded_until_s, self.now_s)
        items = self.bag.raw(self.labels, round((self.log_s + after_s - self.now_s) / PER_S))
        found = next(items, None)
        next_s = math.inf if found is None else found[0] * PER_S - self.log_s + self.now_s
        if next_s - self.command_s <= self.cuts.gap_s and next_s < math.inf:
            self.commanded_until_s = next_s
        else:
            self.end(self.command_s + self.grace_s, "silence")
            self.plan(self.forgot_s + IDLE_S)

    def jump(self, what: str, ended_by: str) -> None:
        """End the open episode where time jumps."""
        if self.recorder.open is not None:
            self.tally.note(f"an episode ends {self.now_s - self.bag.start_s:.1f} s after the bag began: {what}")
            self.end(self.now_s, ended_by)

    def forget_everything(self, now_s: float) -> None:
        """Drop every value: a clock that went back begins another time."""
        for sampler in (self.recorder.sampler, self.sieve.sampler):
            forget_everything(sampler)
        self.now_s, self.due_s = now_s, -math.inf
        self.command_s = self.commanded_until_s = self.stood_s = self.forgot_s = -math.inf

    # messages

    def hear_command(self, topic: str, data: bytes, now_s: float) -> None:
        held = self.sieve.put(topic, data, now_s)
        if held is None:
            return
        self.command_s = now_s
        if self.recorder.open is not None:
            if self.cuts.by_commands:
                self.due_s = min(self.due_s, self.next_due_s())
            return
        if self.asked_s is None and not self.cuts.by_commands:
            return
        for field in self.labels[topic]:  # one that can be read begins an episode
            value = self.sieve.value_of(held, topic, field)
            if value is not None and self.recorder.open is None:
                self.wish(now_s)
                try:
                    self.recorder.put(field.name, value, stamp_s(held.message, field), now_s)
                except MessageError:
                    continue  # which was noted
                held.given = (*held.given, field.name)
                self.after_label()

    def wish(self, now_s: float) -> None:
        """Arm the recorder for a command that is about to be put, where an episode is wanted."""
        if self.recorder.open is not None or self.recorder.armed:
            return
        if self.asked_s is None and self.cuts.by_commands:
            self.asked_s = now_s
        if self.asked_s is not None:
            self.start(now_s)

    def after_label(self) -> None:
        """Note that an episode began, or why it cannot be written."""
        if self.recorder.open is not None:
            if self.asked_s is not None:
                self.asked_s, self.refused = None, ""
            self.due_s = -math.inf
        elif self.asked_s is not None and not self.recorder.armed and not self.refused:
            raise RecordingError(" ".join(self.recorder.take_notices()) or "an episode cannot be written.")

    def hear_cut(self, topic: str, data: bytes, now_s: float) -> None:
        message = self.decoder.decode(topic, data)
        if message is not None:
            self.close_ticks(now_s)
            for word in self.topic_cut.events(message):
                self.do(word, now_s)

    # episodes

    def do(self, word: str, now_s: float) -> None:
        """Do what a topic or the given times ask for."""
        if word == TOGGLE:
            word = STOP if self.wanted else START
        if word == START and not self.wanted:
            self.asked_s = now_s
            self.start(now_s)
        elif word == STOP and self.wanted:
            self.end(now_s, "operator")
        elif word == DISCARD and self.wanted:
            self.asked_s, self.refused = None, ""
            if self.recorder.open is not None or self.recorder.armed:
                self.recorder.discard(now_s)
            self.tally.note("an episode was discarded by its operator")
        elif word in (SUCCESS, FAILURE) and self.recorder.open is not None:
            self.recorder.mark_success(word == SUCCESS)
        elif word in (SUCCESS, FAILURE, DISCARD):  # start and stop may be said again and again, as a Bool does
            self.tally.note(f"{self.cut_topic} said {word!r} while no episode was open")
        self.plan(-math.inf)

    def start(self, now_s: float) -> None:
        """Arm the recorder, or remember why it cannot be armed yet."""
        self.sieve.hand_on_newest()
        silent = self.recorder.silent_fields(now_s)
        self.refused = "; ".join(silent)
        if not silent:
            late_s = now_s - (self.asked_s or now_s)
            if late_s > self.recorder.spec.period_s and self.cuts.by_commands:
                self.tally.note(
                    f"an episode begins {late_s:.2f} s after its first command, with the last field to come"
                )
            self.recorder.start(now_s)

    def end(self, now_s: float, ended_by: str) -> None:
        """Close the open episode, or say why none was made."""
        self.write_until(now_s + SAME_TIME_S)
        recorder, asked_s, refused = self.recorder, self.asked_s, self.refused
        self.asked_s, self.refused, self.due_s = None, "", -math.inf
        self.commanded_until_s = -math.inf
        episode = recorder.open
        if episode is None:
            recorder.armed = False
            if asked_s is not None:
                began = f"an episode asked for {asked_s - self.bag.start_s:.1f} s after the bag began"
                self.tally.note(f"{began} was not made: {refused or 'no command came'}")
            return
        if episode.steps == 0:
            why = f" ({episode.waits_for})" if episode.waits_for else ""
            self.tally.note(f"an episode was not made: it has no complete tick{why}")
            recorder.drop(episode)
            return
        self.sieve.hand_on(episode.next_tick_s)
        path = recorder.stop(now_s, ended_by)
        self.tally.episodes.append(Imported(path, episode.steps, episode.success, episode.stale_ticks))
        for notice in recorder.take_notices():
            if "fresh again" not in notice:
                self.tally.note(notice)

    def finish(self) -> None:
        """End what is open where the bag ends."""
        end_s = self.now_s
        if self.cuts.by_commands and self.recorder.open is not None:
            self.end(min(end_s, self.command_s + self.grace_s), "silence")
        elif self.recorder.open is not None or self.asked_s is not None:
            self.end(end_s, "bag")
        if left := self.times.left(end_s):
            self.tally.note(f"{left} of the given times lie after the end of the bag")
        for complaint in self.topic_cut.complaints(self.cut_topic):
            self.tally.note(complaint)
