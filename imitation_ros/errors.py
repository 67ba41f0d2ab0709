"""What can go wrong, in words that a person can act on.

    ImitationRosError
    ├── SpecError         a robot, setup or scene file says something impossible
    ├── MessageError      a ROS message does not hold what the spec says it should
    ├── DataError         a recording is missing, broken, or means something else
    ├── BundleError       a policy bundle is missing, broken, or means something else
    ├── RecordingError    the recorder cannot do what it was asked to
    ├── DeploymentError   the policy may not drive this robot now
    └── TrainingError     training cannot start or went wrong

Every message says what was found, what is allowed and what to do. The command line prints it
without a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ImitationRosError(Exception):
    """Base of every error that a user can mend."""


class SpecError(ImitationRosError):
    """A robot, setup or scene file says something impossible."""


class MessageError(ImitationRosError):
    """A ROS message does not hold what the spec says it should."""


class DataError(ImitationRosError):
    """A recording is missing, broken, or means something else than expected."""


class BundleError(ImitationRosError):
    """A policy bundle is missing, broken, or means something else than expected."""


class RecordingError(ImitationRosError):
    """The recorder cannot do what it was asked to."""


class DeploymentError(ImitationRosError):
    """The policy may not drive this robot now."""


class TrainingError(ImitationRosError):
    """Training cannot start, or went wrong."""


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """Return ' Did you mean "x"?' for the nearest allowed word, or nothing."""
    near = difflib.get_close_matches(found, list(allowed), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
