"""Import bags into a folder of episodes: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from imitation_ros.bag_import.cuts import Cuts, check_cut_topic
from imitation_ros.bag_import.importer import CLOCK, BagImport
from imitation_ros.bag_import.tally import Imported, Tally
from imitation_ros.console import Bar, bar, console
from imitation_ros.data.bag import Bag, opened
from imitation_ros.data.folder import prepare_folder, sync
from imitation_ros.errors import DataError, RecordingError, did_you_mean
from imitation_ros.processes import terminated_as_interrupt
from imitation_ros.recording import Recorder, executed_fields
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.topic_facts import full_name, message_type


def run_import(
    bags: Sequence[Path],
    spec: RobotSpec,
    output: Path,
    cuts: Cuts,
    *,
    append: bool = False,
    task: str = "",
    operator: str = "",
    sim_time: bool = False,
    namespace: str = "",
) -> list[Path]:
    """Turn bags into episodes and return their files; say what was left out and why.

    The episodes appear in the folder all at once, when the last bag is done; interrupted, none does.

    Raises:
        DataError: a bag cannot be read, lacks what the setup needs, or nothing came of them.
        RecordingError: the folder holds episodes already, or the disk takes no more.
    """
    tally = Tally()
    made_folder = not output.exists()
    first = prepare_folder(output, append)
    try:
        with (
            terminated_as_interrupt(),
            tempfile.TemporaryDirectory(prefix=".import-", dir=output) as folder,
            ExitStack() as stack,
        ):
            opened_bags = [stack.enter_context(opened(path)) for path in bags]
            total_s = sum(check(bag, spec, cuts, sim_time, namespace, tally) for bag in opened_bags)
            with bar(
                f"importing {bags[0].name}" if len(bags) == 1 else f"importing {len(bags)} bags", total_s
            ) as shown:
                before_s = 0
                for bag in opened_bags:
                    recorder = Recorder(
                        spec, Path(folder), append=True, task=task, operator=operator, source=bag.path.name
                    )
                    recorder.next_index = first + len(tally.episodes)
                    before_s += import_one(bag, recorder, cuts, namespace, tally, sim_time, shown, before_s)
            if not tally.episodes:
                raise DataError("\n".join(["no episode was made.", *(f"  {line}" for line in tally.lines())]))
            paths = publish_all(tally.episodes, output)
    except RecordingError as error:
        why = str(error).split(". ")[0].rstrip(".")  # the rest says what is kept, and nothing is
        raise RecordingError(f"nothing is imported into {output}: {why}. Make room, then import again.") from None
    finally:
        if made_folder and not any(output.iterdir()):
            output.rmdir()
    say(tally, paths, spec, output)
    return paths


def import_one(
    bag: Bag,
    recorder: Recorder,
    cuts: Cuts,
    namespace: str,
    tally: Tally,
    sim_time: bool,
    shown: Bar,
    before_s: int,
) -> int:
    """Import one bag, and return how long it is [s]."""

    def show(done_s: float) -> None:
        shown.show(before_s + int(done_s), f"seconds of the bag; {len(tally.episodes)} episodes")

    work = BagImport(bag, recorder, cuts, topic_of(cuts, namespace), namespace, tally, sim_time)
    recorder.wall_s = lambda: work.log_s
    try:
        work.run(show)
    finally:
        if recorder.open is not None:
            recorder.drop(recorder.open)
    for loss in bag.losses:
        tally.note(f"{bag.path}: {loss}")
    return int(bag.end_s - bag.start_s)


def topic_of(cuts: Cuts, namespace: str) -> str:
    """Return the full name of the topic that says where episodes begin; empty without."""
    if not cuts.topic or cuts.topic.startswith("/"):
        return cuts.topic
    return full_name(Field(name="episodes", topic=cuts.topic, type="", names=()), namespace)


def check(bag: Bag, spec: RobotSpec, cuts: Cuts, sim_time: bool, namespace: str, tally: Tally) -> int:
    """Refuse a bag that cannot become episodes of a spec, before anything is written; return its length [s].

    Raises:
        DataError: it cannot be read; topics are missing, or have other types.
    """
    wrong: list[str] = []
    for field in (*spec.observation, *spec.action, *executed_fields(spec)):
        problem = problem_of(field, bag, namespace)
        if not problem:
            continue
        optional = "/" in field.name or (field in spec.action and field.when_silent == "zero")
        if optional and full_name(field, namespace) not in bag.types:
            tally.note(f"{bag.path}: {problem}")
        else:
            wrong.append(problem)
    if not any(full_name(field, namespace) in bag.types for field in spec.action):
        wrong.append("there is no command in it")
    if sim_time and CLOCK not in bag.types:
        wrong.append(f"it has no {CLOCK}, which --use-sim-time asks for")
    if wrong:
        raise DataError(
            f"{bag.path} does not fit the setup {spec.name}: {'; '.join(wrong)}. Mend the setup, or give --namespace; "
            f"`ros2 bag info {bag.path}` shows the topics: {', '.join(bag.types) or 'none'}."
        )
    if cuts.topic:
        topic = topic_of(cuts, namespace)
        check_cut_topic(cuts, topic, bag.types.get(topic), str(bag.path), list(bag.types))
    return int(bag.end_s - bag.start_s)


def problem_of(field: Field, bag: Bag, namespace: str) -> str:
    """Say what stands against reading a field from a bag; nothing if it can be."""
    topic, wanted = full_name(field, namespace), message_type(field)
    found = bag.types.get(topic)
    if found is None:
        return f"{field.name!r} needs {topic} ({wanted}), which is not in it.{did_you_mean(topic, bag.types)}".rstrip(
            "."
        )
    if found != wanted:
        return f"{field.name!r} ({topic}) is a {found}; the setup says {wanted} ({field.file})"
    try:
        bag.decoder.definition(wanted)
    except DataError as error:
        return f"{field.name!r} ({topic}) is {str(error).rstrip('.')}"
    return ""


def publish_all(episodes: Sequence[Imported], output: Path) -> list[Path]:
    """Move whole episodes to where they are found, and return their files."""
    paths = []
    for each in episodes:
        path = output / each.path.name
        os.replace(each.path, path)
        paths.append(path)
    sync(output)
    return paths


def say(tally: Tally, paths: Sequence[Path], spec: RobotSpec, output: Path) -> None:
    """Print what was made, what was left out, and what to do next."""
    steps = sum(each.steps for each in tally.episodes)
    marks = [each.success for each in tally.episodes]
    judged = (
        f"; {marks.count(True)} successes, {marks.count(False)} failures" if any(m is not None for m in marks) else ""
    )
    names = paths[0].name if len(paths) == 1 else f"{paths[0].name} to {paths[-1].name}"
    lines = [
        f"{len(paths)} episode{'s'[: len(paths) != 1]}, {steps} ticks, {steps * spec.period_s:.1f} s of "
        f"{spec.name} in {output} ({names}){judged}."
    ]
    stale = sum(each.stale_ticks for each in tally.episodes)
    if stale:
        lines.append(
            f"{stale} ticks hold an observation that is too old; they are marked, and training leaves them out."
        )
    if tally.told:
        lines += ["What was noticed:", *(f"  {line}" for line in tally.lines())]
    lines.append(f"Next: `imitation-ros info {output}`, then `imitation-ros train bc --data {output} --output policy`.")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
