"""Where the package's own files lie: the one place where names become paths.

A name such as `panda_pick_place` means `config/setups/panda_pick_place.yaml`; anything that looks
like a path (a separator, a suffix, an existing file) is taken as one.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from imitation_ros.errors import SpecError, did_you_mean


def share_folder() -> Path:
    """Return the folder that holds config/ and sim/: the source tree, or share/imitation_ros."""
    here = Path(__file__).resolve()
    for parent in here.parents:
        if (parent / "package.xml").is_file() and (parent / "config" / "robots").is_dir():
            return parent
        if (parent / "share" / "imitation_ros" / "config").is_dir():
            return parent / "share" / "imitation_ros"
    raise SpecError(f"imitation_ros's config folder is not installed beside {here.parent}. Reinstall the package.")


def find_file(folder: str, name: str | Path) -> Path:
    """Return the path of a YAML file: a path as it is, or a name in one of the package's folders.

    Args:
        folder: such as "config/setups" or "sim/scenes", relative to the share folder.
        name: a path, or the name of a file in that folder without its suffix.

    Raises:
        SpecError: there is no such file; says which names there are.
    """
    path = Path(name)
    with contextlib.suppress(RuntimeError):  # ~somebody who has no home
        path = path.expanduser()
    if path.suffix in {".yaml", ".yml"} or is_file(path) or len(path.parts) > 1:
        if is_file(path):
            return path
        what = "is a folder" if path.is_dir() else "does not exist"
        raise SpecError(f"{path} {what}. Give the path of a YAML file, or one of: {known(folder)}.")
    shipped = share_folder() / folder / f"{name}.yaml"
    if is_file(shipped):
        return shipped
    hint = did_you_mean(str(name), names_in(folder))
    raise SpecError(f"{name!r} is not in {folder}: it holds {known(folder)}.{hint} Or give the path of a YAML file.")


def is_file(path: Path) -> bool:
    """Whether a file is there; a name that no file can have (too long) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def names_in(folder: str) -> list[str]:
    """Return the names of the YAML files in one of the package's folders."""
    return sorted(path.stem for path in (share_folder() / folder).glob("*.yaml"))


def known(folder: str) -> str:
    return ", ".join(names_in(folder)) or "nothing"
