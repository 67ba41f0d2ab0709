"""One file of many episodes, and back: a folder with a file for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from imitation_ros.console import console
from imitation_ros.data.catalogue import Catalogue, catalogue, read_entries
from imitation_ros.data.episode import Episode
from imitation_ros.data.rewriting import Piece, is_file_name, parts_of, write_dataset
from imitation_ros.data.splits import read_splits
from imitation_ros.data.swapping import check_room, creating
from imitation_ros.editing.watching import watched
from imitation_ros.editing.words import say, say_foreign, size_of, splits_in_words
from imitation_ros.errors import DataError
from imitation_ros.robot.wiring import with_fields


def run_pack(data: Path, output: Path, decode_images: bool = False) -> None:
    """Write a dataset as one file that robomimic reads, or as a folder with a file for each episode.

    Args:
        output: a file (.hdf5 or .h5), or a folder.
        decode_images: store the pixels of all images in `obs/`.

    Raises:
        DataError: an episode is broken or means something else, or the output exists.
    """
    found = catalogue(data)
    found.check_whole()
    splits = read_splits(found)
    as_file = is_file_name(output)
    check_room(data, output.absolute())
    with creating(output) as work:
        pieces = repacked(found, splits, decode_images)
        written = write_dataset(work.path, watched("packing", len(found.entries), pieces), as_file)
    kind = "as one file" if as_file else "a file for each"
    console.print(
        f"[bold]{output}[/bold] holds {size_of(written)}, {kind}; {data} stays as it is.",
        highlight=False,
        soft_wrap=True,
    )
    if splits:
        say(f"Its splits: {splits_in_words(written.splits)}.")
    say_foreign(written, f"{data}")
    if not as_file:
        say(f"`imitation-ros record SETUP --output {output} --append` adds to it.")
        return
    if not decode_images and (cameras := cameras_of(found)):
        say(
            f"robomimic reads its numbers. The images of {' and '.join(cameras)} are JPEG bytes in images/; it wants "
            f"pixels in obs/: `imitation-ros pack {data} --output OTHER.hdf5 --decode-images`, which takes much more "
            f"room."
        )
    else:
        say(f"robomimic reads it as it is; `imitation-ros info {output}` says what it holds.")
    say(f"`imitation-ros pack {output} --output FOLDER` makes a folder of it again.")


def repacked(found: Catalogue, splits: dict[str, list[int]], decode_images: bool) -> Iterator[Piece]:
    for entry, episode in read_entries(found.entries):
        after = decoded(episode) if decode_images else episode
        yield Piece(entry, after, parts_of(splits, entry.number), changed=after is not episode)


def decoded(episode: Episode) -> Episode:
    """Return the episode with images stored as pixels."""
    images = [field for field in episode.spec.observation if field.is_image and field.storage != "raw"]
    if not images:
        return episode
    spec = with_fields(episode.spec, lambda field: replace(field, storage="raw") if field in images else field)
    return replace(episode, spec=spec)


def cameras_of(found: Catalogue) -> list[str]:
    """Return the names of images that are stored as JPEG."""
    for _, episode in read_entries(found.entries[:1]):
        return [field.name for field in episode.spec.observation if field.is_image and field.storage == "jpeg"]
    raise DataError(f"{found.data} holds no episode.")
