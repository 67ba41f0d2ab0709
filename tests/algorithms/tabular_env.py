"""Worlds whose every number is known: random ones, grids, and the same as environments of gymnasium's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike

from imitation_ros.algorithms.tabular import TabularMDP

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left


def random_mdp(
    seed: int,
    states: int = 6,
    actions: int = 3,
    discount: float = 0.9,
    time_limit: int | None = None,
    deterministic: bool = False,
) -> TabularMDP:
    """Return a world in which each action leads anywhere, or, deterministic, to one state of any."""
    rng = np.random.default_rng(seed)
    if deterministic:
        transitions = np.eye(states)[rng.integers(states, size=(states, actions))]
    else:
        transitions = rng.dirichlet(np.full(states, 0.5), size=(states, actions))
    return TabularMDP(transitions, rng.dirichlet(np.ones(states)), discount, time_limit)


def free_cells(rows: Sequence[str]) -> list[tuple[int, int]]:
    """Return row and column of each state of a grid."""
    return [(row, column) for row, line in enumerate(rows) for column, cell in enumerate(line) if cell != "#"]


def gridworld(
    rows: Sequence[str], slip: float = 0.0, discount: float = 0.9, time_limit: int | None = None
) -> TabularMDP:
    """Return a grid: # is a wall, S a start, G a goal that nothing leads out of; states in the order of reading.

    With the probability `slip` any of the four moves happens instead; whoever runs into a wall stays.
    """
    cells = free_cells(rows)
    number = {cell: index for index, cell in enumerate(cells)}
    kinds = np.array([rows[row][column] for row, column in cells])
    moves = np.zeros((len(cells), len(MOVES), len(cells)))
    for (row, column), state in number.items():
        for action, (down, right) in enumerate(MOVES):
            moves[state, action, number.get((row + down, column + right), state)] = 1.0
    transitions = (1.0 - slip) * moves + slip * moves.mean(axis=1, keepdims=True)
    transitions[kinds == "G"] = np.eye(len(cells))[kinds == "G"][:, None]
    starts = (kinds == "S").astype(float)
    return TabularMDP(transitions, starts / starts.sum(), discount, time_limit)


def random_grid(seed: int, height: int = 4, width: int = 5, walls: float = 0.25) -> list[str]:
    """Return a grid with walls anywhere, its start first and its goal last in the order of reading."""
    rng = np.random.default_rng(seed)
    cells = np.where(rng.random((height, width)) < walls, "#", ".")
    cells[0, 0], cells[-1, -1] = "S", "G"
    return ["".join(row) for row in cells]


class TabularEnv(gymnasium.Env):
    """A world as gymnasium knows them: a state is seen and an action done as a whole number.

    Args:
        mdp: its absorbing states terminate an episode, its time limit truncates one.
        reward: of each step, (S, A, N); or of each state or pair, as `tabular.expected` takes it.
    """

    metadata = {"render_fps": 10}  # noqa: RUF012 gymnasium's own form

    def __init__(self, mdp: TabularMDP, reward: ArrayLike) -> None:
        self.mdp, self.absorbing = mdp, mdp.absorbing
        given = np.asarray(reward, np.float64)
        self.reward = np.broadcast_to(given.reshape(given.shape + (1,) * (3 - given.ndim)), mdp.transitions.shape)
        self.observation_space = spaces.Discrete(len(mdp.start))
        self.action_space = spaces.Discrete(mdp.shape[-1])
        self.state, self.steps = 0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.state, self.steps = int(self.np_random.choice(len(self.mdp.start), p=self.mdp.start)), 0
        return self.state, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        left, self.steps = self.state, self.steps + 1
        self.state = int(self.np_random.choice(len(self.mdp.start), p=self.mdp.transitions[left, action]))
        terminated, truncated = bool(self.absorbing[self.state]), self.steps == self.mdp.time_limit
        return self.state, float(self.reward[left, action, self.state]), terminated, truncated, {}


class Table:
    """A policy that does the likeliest action of a table, (S, A)."""

    def __init__(self, policy: np.ndarray) -> None:
        self.policy = policy

    def act(self, observation: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"action": np.array([float(self.policy[int(observation["observation"][0])].argmax())])}


MAZE = ("S..#", ".#..", "...G")


def maze(slip: float = 0.1, discount: float = 0.95, time_limit: int | None = 30) -> TabularMDP:
    return gridworld(MAZE, slip, discount, time_limit)


def goal_reward(mdp: TabularMDP) -> np.ndarray:
    """Return 1 for reaching an absorbing state, (S, A, N), and nothing for staying there."""
    reward = np.zeros(mdp.transitions.shape)
    reward[~mdp.absorbing] = mdp.absorbing.astype(float)
    return reward


def maze_env() -> TabularEnv:
    mdp = maze()
    return TabularEnv(mdp, goal_reward(mdp))


# as "tabular_env:Maze-v0" any worker process can make it: gymnasium imports this module first
gymnasium.register("Maze-v0", entry_point=maze_env, max_episode_steps=30)
