"""A drafted robot and its setup as YAML files, and what a person sees of them."""

from __future__ import annotations

import math
import re
import textwrap
from pathlib import Path
from typing import Any

import yaml
from rich.markup import escape
from rich.table import Table

from imitation_ros.console import console, print_table
from imitation_ros.drafting.fields import Draft, DraftField, draft_robot
from imitation_ros.drafting.words import complete, names_of, ranges_of
from imitation_ros.errors import SpecError
from imitation_ros.robot.spec import load_spec
from imitation_ros.robot.transforms import TransformTree
from imitation_ros.topic_facts import GraphFacts

WIDTH = 116
GUESSED = "# A bag does not say who listens: observation and action are guessed from names and types."


def new_robot(robot: str, output: Path, graph: GraphFacts, namespace: str = "") -> None:
    """Draft a robot file and a setup beside it from what was heard, and say what is left to do.

    Raises:
        SpecError: one of the files exists, nothing was heard, or the name is no name.
    """
    setup = check_output(robot, output)
    draft = draft_robot(robot, graph, namespace)
    complete(draft)
    if not draft.fields:
        heard = "; ".join(f"{topic}: {why}" for topic, why in draft.left_out) or "no topic at all"
        raise SpecError(
            f"{draft.source} holds nothing that a robot spec could name: {heard}. Start the robot's driver, in this "
            f"ROS_DOMAIN_ID, and look at `ros2 topic list -t`."
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    for path, text in ((output, robot_yaml(draft)), (setup, setup_yaml(draft, output))):
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise SpecError(f"{path} cannot be written: {error.strerror}. Give another --output.") from None
    show(draft, output, setup, graph.sim_time)


def check_output(robot: str, output: Path) -> Path:
    """Return where the setup goes; nothing is ever overwritten.

    Raises:
        SpecError: something is there, or a name is no name.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", robot):
        raise SpecError(f"the robot's name is {robot!r}; it should be letters, digits and _, such as my_arm.")
    if output.suffix not in (".yaml", ".yml"):
        raise SpecError(f"--output is {output}; it should end in .yaml, such as {robot}.yaml.")
    setup = output.with_name(f"{output.stem}_setup{output.suffix}")
    for path in (output, setup):
        if path.exists():
            raise SpecError(f"{path} exists, and is not overwritten. Give another --output, or move it away.")
    return setup


def robot_yaml(draft: Draft) -> str:
    """Return the robot file: a field per topic, with what was seen behind #."""
    lines = [
        f"# Drafted by `imitation-ros new-robot` from {draft.source}.",
        "# Lines with TODO wait for you. Rename fields as you like; setups name them.",
        f"robot: {draft.robot}",
        *word_lines("", "rate_hz", draft.rate_hz, f"ticks of recording and policy: {draft.rate_from}"),
        "fields:",
    ]
    for item in draft.fields:
        lines += field_lines(item)
    if draft.tree.edges:
        lines += transform_lines(draft.tree)
    if draft.left_out:
        lines += ["", "# Topics that are no field:"]
        lines += [printable(f"#   {topic}  {why}") for topic, why in draft.left_out]
    return "\n".join(lines) + "\n"


def field_lines(item: DraftField) -> list[str]:
    lines = [f"  {flow(item.name)}:"]
    if item.role == "candidate":
        lines.append("    # somebody listens here and nobody publishes: an action, if a person or policy commands it")
    for word, value in item.words.items():
        lines += word_lines("    ", word, value, item.comments.get(word, ""))
    ranges = [f"{printable(name)}\0{low:.3g}..{high:.3g}" for name, (low, high) in ranges_of(item).items()]
    seen = ", ".join(ranges)
    wrapped = textwrap.wrap(f"seen: {seen}", WIDTH - 6, subsequent_indent="  ", break_on_hyphens=False)
    lines += [f"    # {line}".replace("\0", " ") for line in wrapped if ranges]  # a name stays with its numbers
    return [*lines, *(f"    {printable(note)}" for note in item.notes)]


def word_lines(indent: str, word: str, value: Any, comment: str) -> list[str]:
    """Return `word: value  # comment`, the comment above where the line would be too long."""
    text, comment = f"{indent}{word}: {flow(value)}", printable(comment)
    if comment and len(text) + len(comment) + 4 <= WIDTH:
        return [f"{text}  # {comment}"]
    broken = textwrap.wrap(text, WIDTH, subsequent_indent=f"{indent}  ", break_on_hyphens=False, break_long_words=False)
    quoted = "'" in text or '"' in text  # where a space may be part of a name
    return [*([f"{indent}# {comment}:"] if comment else []), *([text] if quoted else broken)]


def flow(value: Any) -> str:
    """Return YAML on one line; what would be read as something else is quoted."""
    if isinstance(value, float):
        return re.sub(r"^([^.]*)e", r"\1.0e", f"{value:g}")  # to YAML 1.1, 1e-09 is a text
    if isinstance(value, list):
        return f"[{', '.join(flow(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{word}: {flow(item)}' for word, item in value.items())}}}"
    if isinstance(value, str) and re.fullmatch(r"[\w./-]+", value) and yaml.safe_load(value) == value:
        return value
    quoted = '"' if isinstance(value, str) else None  # a driver may call its joints anything
    return str(yaml.safe_dump(value, default_style=quoted, width=math.inf)).removesuffix("...\n").strip()


def printable(text: str) -> str:
    """Return a text as a comment can hold it: names may contain anything, line ends too."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def transform_lines(tree: TransformTree) -> list[str]:
    """Return a field that asks tf, as a comment: which two frames matter, only a person knows."""
    parents = {edge.parent for edge in tree.edges.values()}
    leaf = next((frame for frame in sorted(tree.edges) if frame not in parents), "tool0")
    example = f"{{type: tf, parent: {flow(tree.way_up(leaf)[-1])}, child: {flow(leaf)}, max_age_s: 0.2}}"
    known = printable(", ".join(sorted(parents | set(tree.edges))))
    frames = textwrap.wrap(f"frames: {known}", WIDTH - 4, break_on_hyphens=False)
    return ["  # tf knows more poses; for the one that matters, such as the tool's:", f"  # tool_pose: {example}"] + [
        f"  # {line}" for line in frames
    ]


def setup_yaml(draft: Draft, robot_file: Path) -> str:
    """Return the setup: which fields a policy sees, and which it chooses."""
    lines = [
        f"# Drafted by `imitation-ros new-robot` from {draft.source}.",
        *([GUESSED] if draft.roles_guessed else []),
        f"setup: {draft.robot}_setup",
        f"robot: {flow(robot_file.name)}   # beside this file",
        'task: ""   # what is demonstrated, such as pour_tea',
        *list_lines("observation", [item.name for item in draft.of("observation")], "what a policy sees"),
        *list_lines("action", [item.name for item in draft.of("action")], "what a policy chooses"),
    ]
    others = [item.name for item in draft.fields if item.role in ("candidate", "other")]
    if others:
        lines.append(f"# also in {robot_file.name}: {', '.join(others)}")
    return "\n".join(lines) + "\n"


def list_lines(word: str, names: list[str], meaning: str) -> list[str]:
    if names:
        return word_lines("", word, names, f"{meaning}; strike out what does not matter")
    return [f"{word}: []   # TODO: {meaning}: nothing was found; name fields of the robot"]


def show(draft: Draft, output: Path, setup: Path, sim_time: bool) -> None:
    """Print the fields, what is left to do, and what comes next."""
    rows = []
    for item in draft.fields:
        rate = "-" if item.timing.rate_hz is None else f"{item.timing.rate_hz:.3g} Hz"
        topic, kind = item.words["topic"], item.words["type"].split("/")[-1]
        valid = f"{item.words.get('max_age_s') or item.words.get('timeout_s'):g} s"
        colour = {"action": "cyan", "candidate": "yellow", "other": "dim"}.get(item.role, "")
        rows.append((item.name, item.role, width_of(item), f"{topic}\n{kind}", rate, valid, colour))
    console.print(f"[bold]{escape(draft.robot)}[/bold], from {escape(draft.source)}:", highlight=False)
    heads = ("field", "role", "numbers", "topic and type", "rate", "valid for")
    print_table(heads, rows, drop=("valid for", "rate"), fold="topic and type")
    for topic, why in draft.left_out:
        console.print(f"  left out: {escape(f'{topic}  {why}')}", style="dim", highlight=False)
    todos: dict[str, list[str]] = {}
    for item in draft.fields:
        for todo in item.todos if item.role != "other" else ():
            todos.setdefault(todo, []).append(item.name)
    if todos:
        title = f"[bold]To decide[/bold], each marked TODO in {escape(str(output))}:"
        console.print(title, highlight=False, soft_wrap=True)
        grid = Table(box=None, show_header=False, padding=(0, 1))
        for todo, names in todos.items():
            grid.add_row(f"[yellow]{escape(todo)}[/yellow]", escape(", ".join(names)))
        console.print(grid, highlight=False)
    if not draft.of("observation"):
        console.print("Nothing to observe was found: start the robot's driver and draft again.", highlight=False)
    if not draft.of("action"):
        console.print("No action was found: start teleoperation and draft again, or name one.", highlight=False)
    try:
        load_spec(setup)
        record = f"record {setup} --output demos{' --use-sim-time' if sim_time else ''}"
        after = f"It loads as it is: `imitation-ros doctor {setup}`, then `imitation-ros {record}`."
    except SpecError as error:
        after = f"It does not load yet: {error}"
    console.print(escape(after), highlight=False, soft_wrap=True)


def width_of(item: DraftField) -> str:
    """Return how many numbers a field has, or an image's size."""
    if "shape" in item.words:
        return "x".join(str(size) for size in item.words["shape"])
    return str(item.words["beams"] if "beams" in item.words else len(item.words.get("names") or names_of(item)))
