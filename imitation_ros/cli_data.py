"""The command line's verbs for recordings: what becomes of them after they are made."""

from __future__ import annotations

from pathlib import Path


def import_bag(
    bags: tuple[Path, ...],
    /,
    setup: str,
    output: Path,
    episodes_topic: str = "",
    episodes_button: int = -1,
    gap_s: float = 0.0,
    times: tuple[str, ...] = (),
    append: bool = False,
    task: str = "",
    operator: str = "",
    use_sim_time: bool = False,
    joint_prefix: str = "",
    namespace: str = "",
) -> None:
    """Turn rosbag2 recordings (sqlite3 or mcap) into episodes, as if they had been recorded live. Needs no ROS.

    Where nothing says otherwise, a bag is one episode: from the first command to the last.

    Args:
        bags: folders of bags, or their mcap or db3 files.
        setup: a name in config/setups, or the path of a setup.
        output: the folder for the episodes.
        episodes_topic: cut where this topic says so: a Bool (true begins, false ends), a String (start, stop, discard,
            success, failure) or a Joy.
        episodes_button: of a Joy: pressed, it begins an episode, and pressed again it ends it; -1: it is no Joy.
        gap_s: cut where no command came for so long [s]; 0: do not.
        times: cut at given times: START:END or START:END:success (or failure) in seconds since the bag began or since
            1970; or a file with such a line for each episode.
        append: add to a folder that already holds episodes.
        task: what is demonstrated; the setup's task if empty.
        operator: who demonstrates.
        use_sim_time: the robot was a simulator's: times are those of /clock in the bag.
        joint_prefix: stands before joints and frames in messages.
        namespace: of the robot's topics in the bag.
    """
    from imitation_ros.bag_import import run_import
    from imitation_ros.bag_import.cuts import parse_cuts
    from imitation_ros.cli_nodes import check_namespace
    from imitation_ros.robot.spec import load_spec
    from imitation_ros.robot.wiring import with_prefix

    check_namespace(namespace)
    cuts = parse_cuts(episodes_topic, episodes_button, gap_s, times)
    spec = load_spec(setup)
    run_import(
        bags,
        with_prefix(spec, joint_prefix) if joint_prefix else spec,
        output,
        cuts,
        append=append,
        task=task,
        operator=operator,
        sim_time=use_sim_time,
        namespace=namespace,
    )


def recover(path: Path, /, list: bool = False) -> None:
    """Make episodes of what a crash left: every *.part in a folder. Needs no ROS.

    An episode is recovered up to its last flush, about a second before the crash; the part is kept beside it.

    Args:
        path: the folder of a dataset, or one *.part.
        list: only say what could be recovered.
    """
    import sys

    from imitation_ros.recovering import run_recovery

    if not run_recovery(path, only_look=list):
        sys.exit(1)


def check(data: Path, /, report: str = "", strict: bool = False) -> None:
    """Say what is wrong with recordings: gaps, stale and silent ticks, idle time, outliers, clipping, lag and more.

    Ends with 0 where there is no error, 1 where there is one (or, with --strict, a warning), 2 where it cannot check.

    Args:
        data: one HDF5 file, or a folder of them.
        report: an HTML file to write, with plots; one of an earlier check is replaced. None if empty.
        strict: warnings count as errors.
    """
    import sys

    from imitation_ros.checking import run_check

    sys.exit(run_check(data, Path(report) if report else None, strict))


def edit(
    data: Path,
    /,
    delete: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    trim_idle: bool = False,
    split: tuple[str, ...] = (),
    rename: tuple[str, ...] = (),
    success: tuple[str, ...] = (),
    failure: tuple[str, ...] = (),
    unmark: tuple[str, ...] = (),
    output: Path | None = None,
    dry_run: bool = False,
) -> None:
    """Change recordings: delete, keep, trim, split, rename or mark; the original is kept as DATA.previous.

    Episodes are given as numbers from 0, as check and info count them (3), ranges (7-9), names (episode_000003), or
    the words success, failure, unmarked and all. All numbers are those of before.

    Args:
        data: one HDF5 file, or a folder of them.
        delete: episodes to leave out.
        keep: the only episodes to keep.
        trim_idle: leave out the ticks at either end in which nothing moves.
        split: episodes to take apart, and where new parts begin: 3@120,240 in ticks, or 3@6.5s in seconds.
        rename: fields to call otherwise, in observations, actions and the spec: old=new.
        success: episodes to mark as successes.
        failure: episodes to mark as failures.
        unmark: episodes to take the mark from.
        output: a new folder or file to write to, which leaves the original where it is.
        dry_run: only say what would be done.
    """
    from imitation_ros.editing.changes import Changes
    from imitation_ros.editing.edit import run_edit

    changes = Changes(delete, keep, success, failure, unmark, split, rename, trim_idle)
    run_edit(data, changes, output, dry_run)


def pack(data: Path, /, output: Path, decode_images: bool = False) -> None:
    """Make one file of many episode files, as robomimic reads it; or of one file a folder again.

    Args:
        data: a folder of HDF5 files, or one of them.
        output: a new file (.hdf5); or a new folder, for a file for each episode.
        decode_images: store images as pixels, for readers that cannot decode JPEG; takes much more room.
    """
    from imitation_ros.editing.packing import run_pack

    run_pack(data, output, decode_images)


def merge(datasets: tuple[Path, ...], /, output: Path) -> None:
    """Make one dataset of several that mean the same; says how they differ where they do not.

    Args:
        datasets: HDF5 files, or folders of them.
        output: a new folder, or a new file (.hdf5).
    """
    from imitation_ros.editing.merging import run_merge

    run_merge(datasets, output)


def split(data: Path, /, validation: float = 0.1, test: float = 0.0, seed: int = 0) -> None:
    """Say which episodes are to learn from and which to judge by; of successes and failures alike.

    Writes splits.json into a folder, mask/ into a file, as robomimic has it: train, valid, test.

    Args:
        data: one HDF5 file, or a folder of them.
        validation: share of the episodes that training judges by.
        test: share of the episodes that training never sees.
        seed: of the draw.
    """
    from imitation_ros.editing.splitting import run_split

    run_split(data, validation, test, seed)


def replay(
    data: Path, /, episode: tuple[str, ...] = (), setup: str = "", seed: int = 0, tolerance: float = 1e-3
) -> None:
    """Run what was executed again in the simulator, and say how far it is from the recording.

    Ends with 0 where every episode is reproduced, 1 where one is not, 2 where it cannot look.

    Args:
        data: one HDF5 file, or a folder of them.
        episode: which: numbers from 0 (3), ranges (7-9), names, success, failure, unmarked; all if left out.
        setup: a name in config/setups, or a path; that of the recording if empty.
        seed: of the starts, where the recording does not say, as a recorder's: its start is looked for.
        tolerance: how far a number may be off, in its unit.
    """
    import sys

    from imitation_ros.replaying import run_replay

    sys.exit(run_replay(data, episode, setup, seed, tolerance))


def view(data: Path, /, episode: str = "0", save: Path | None = None) -> None:
    """Show an episode: images, curves and what is known of it, in Rerun; or write a file for Rerun or Foxglove.

    Args:
        data: one HDF5 file, or a folder of them.
        episode: its number from 0, or its name.
        save: a new file instead of a window: FILE.rrd for Rerun, FILE.mcap for Foxglove and ROS.
    """
    from imitation_ros.viewing import run_view

    run_view(data, episode, save)
