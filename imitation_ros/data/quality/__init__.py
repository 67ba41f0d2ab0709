"""What is wrong with a recording: measures of episodes, and the findings that follow from them. NumPy only.

One pass over a dataset (survey.py): of each episode its numbers, its motion, its stamps and how it follows its
commands are measured (measures.py), then judged by itself (episode_findings.py) and beside the others
(dataset_findings.py), by the thresholds in thresholds.py.
"""

from imitation_ros.data.quality.finding import DATASET, SEVERITIES, Finding, Group, grouped, numbers_of_episodes
from imitation_ros.data.quality.layout import Layout, Pair
from imitation_ros.data.quality.measures import Measures
from imitation_ros.data.quality.survey import Survey

__all__ = [
    "DATASET",
    "SEVERITIES",
    "Finding",
    "Group",
    "Layout",
    "Measures",
    "Pair",
    "Survey",
    "grouped",
    "numbers_of_episodes",
]
