"""What the demo did, as one self-contained HTML file with pictures."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from imitation_ros import __version__

matplotlib.use("Agg")
from matplotlib import pyplot as plt

BLUE, ORANGE, GREY = "#2563eb", "#ea8a2f", "#94a3b8"


@dataclass(frozen=True)
class Examination:
    """How a deployed policy did on fixed starts.

    Attributes:
        successes, episodes: counts.
        interval: of the success rate, 95 % (Wilson).
        latencies_s: from a tick's publication to the arrival of its command, wall time, one per tick [s].
    """

    successes: int
    episodes: int
    interval: tuple[float, float]
    latencies_s: NDArray[np.float64]

    @property
    def rate(self) -> float:
        return self.successes / self.episodes

    def latency_s(self, percentile: float) -> float:
        return float(np.percentile(self.latencies_s, percentile))


@dataclass(frozen=True)
class TaskResult:
    """What the demo made of one task; `folder` holds demonstrations, policy and films."""

    task: str
    demonstrations: int
    folder: Path
    clean: Examination
    disturbed: Examination


PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>imitation_ros: a robot was taught</title>
<style>
 body { font: 16px/1.55 system-ui, sans-serif; color: #0f172a; background: #f8fafc; margin: 0 }
 main { max-width: 1060px; margin: 0 auto; padding: 32px 20px 64px }
 h1 { font-size: 30px; margin: 0 0 4px } h2 { font-size: 22px; margin: 0 0 12px }
 p.lead, .note { color: #475569 } .note { font-size: 14px }
 section { background: white; border: 1px solid #e2e8f0; border-radius: 12px; padding: 24px; margin: 24px 0 }
 .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 16px; margin: 0 0 20px }
 .tile { background: #f1f5f9; border-radius: 8px; padding: 12px 16px } .tile b { display: block; font-size: 26px }
 .films { display: grid; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr)); gap: 12px }
 .films img { width: 100%; border-radius: 8px; display: block }
 .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 12px; margin-top: 16px }
 .plots img { width: 100% } code, pre { background: #f1f5f9; border-radius: 4px; padding: 1px 5px }
 pre { padding: 12px 16px; overflow-x: auto }
 table { border-collapse: collapse; width: 100% }
 td, th { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid #e2e8f0 }
</style></head><body><main>
<h1>A robot was taught by showing</h1>
<p class="lead">A Panda arm in PyBullet was teleoperated over ROS 2 topics, its demonstrations were recorded to HDF5,
policies were cloned from them, and the policy node then drove the arm over the same topics, from starts it had never
seen. All of it took $minutes minutes on this machine. imitation_ros $version.</p>
<section><h2>Success of the deployed policies</h2>
<table><tr><th>task</th><th>demonstrations</th><th>success</th><th>95 % interval</th><th>under disturbance</th>
<th>95 % interval</th><th>tick to command, p50 / p99</th></tr>$rows</table>
<p class="note">Success is the task file's own: the condition must hold for ten ticks within the time limit. Latency is
wall time from the simulator's publication of an observation to the arrival of the command that answers it, through two
DDS hops and inference in a process of its own.</p></section>
$tasks
<section><h2>Go on from here</h2>
<pre>imitation-ros info $example/demonstrations          # what was recorded
imitation-ros info $example/policy                  # what was learned, from which data
imitation-ros evaluate $example/policy --starts 200 # without ROS, as fast as it goes
tensorboard --logdir $example/tensorboard</pre></section>
</main></body></html>
""")

TASK = Template("""<section><h2>$task</h2>
<div class="tiles">$tiles</div>
<div class="films">$films</div>
<p class="note">The deployed policy, from test starts (the first ones, not chosen).</p>
<div class="plots">$plots</div>
<p class="note">The held-out loss may rise while the held-out error falls: a policy that grows surer of itself pays more
for each of its mistakes. The error chooses the policy that is kept.</p></section>
""")


def write_report(path: Path, results: list[TaskResult], wall_s: float) -> Path:
    """Write the report; every picture is inside the file."""
    page = PAGE.substitute(
        minutes=f"{wall_s / 60:.1f}",
        version=__version__,
        rows="".join(row(result) for result in results),
        tasks="".join(task_section(result) for result in results),
        example=html.escape(str(results[-1].folder)),
    )
    path.write_text(page)
    return path


def row(result: TaskResult) -> str:
    cells = [result.task, str(result.demonstrations)]
    for examined in (result.clean, result.disturbed):
        cells += [f"{examined.successes} of {examined.episodes}", percent(examined.interval)]
    cells.append(f"{1e3 * result.clean.latency_s(50):.1f} / {1e3 * result.clean.latency_s(99):.1f} ms")
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def percent(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.0f} to {100 * interval[1]:.0f} %"


def task_section(result: TaskResult) -> str:
    provenance = json.loads((result.folder / "policy" / "policy.json").read_text())["provenance"]
    tiles = [
        (f"{100 * result.clean.rate:.0f} %", "success"),
        (f"{100 * result.disturbed.rate:.0f} %", "under disturbance"),
        (str(result.demonstrations), f"demonstrations, {provenance['data']['transitions']} ticks"),
        (f"{provenance['training']['kept_update']}", "updates of the weights"),
    ]
    films = sorted((result.folder / "films").glob("*.gif"))
    plots = [success_plot(result), curves_plot(result.folder / "policy" / "training.csv"), latency_plot(result)]
    return TASK.substitute(
        task=html.escape(result.task),
        tiles="".join(f'<div class="tile"><b>{value}</b>{html.escape(label)}</div>' for value, label in tiles),
        films="".join(f'<img alt="the robot" src="{embedded("image/gif", film.read_bytes())}">' for film in films),
        plots="".join(f'<img alt="plot" src="{embedded("image/svg+xml", plot)}">' for plot in plots),
    )


def embedded(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def success_plot(result: TaskResult) -> bytes:
    figure, axes = plot("success rate, with 95 % interval")
    for place, (examined, colour) in enumerate(((result.clean, BLUE), (result.disturbed, ORANGE))):
        low, high = examined.interval
        axes.bar(place, examined.rate, 0.55, color=colour)
        axes.plot([place, place], [low, high], color="#0f172a", lw=2)
    axes.set_xticks([0, 1], ["clean", "disturbed"])
    axes.set_ylim(0, 1.05)
    return as_svg(figure)


def curves_plot(curves: Path) -> bytes:
    """Losses, and the error on held-out episodes that chose the policy, summed over the action fields."""
    figure, axes = plot("learning")
    with curves.open(newline="") as file:
        rows = list(csv.DictReader(file))
    updates = [int(line["update"]) for line in rows]
    curves_of = (
        ("training", GREY, "loss"),
        ("validation", BLUE, "loss, held out"),
        ("error", ORANGE, "error, held out"),
    )
    for kind, colour, label in curves_of:
        names = [name for name in rows[0] if name.startswith(kind + "/")]
        axes.plot(updates, [sum(float(line[name]) for name in names) for line in rows], color=colour, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("updates")
    axes.legend(frameon=False)
    return as_svg(figure)


def latency_plot(result: TaskResult) -> bytes:
    figure, axes = plot("tick to command, wall time")
    milliseconds = 1e3 * result.clean.latencies_s
    top = float(np.percentile(milliseconds, 99.5))
    axes.hist(milliseconds[milliseconds <= top], bins=40, color=BLUE)
    for percentile, style in ((50, "-"), (99, "--")):
        axes.axvline(float(np.percentile(milliseconds, percentile)), color="#0f172a", ls=style, label=f"p{percentile}")
    axes.set_xlabel("ms")
    axes.set_yticks([])
    axes.legend(frameon=False)
    return as_svg(figure)


def plot(title: str) -> tuple[Any, Any]:
    figure, axes = plt.subplots(figsize=(4.4, 3.0), layout="constrained")
    axes.set_title(title, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def as_svg(figure: Any) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="svg")
    plt.close(figure)
    return data.getvalue()
