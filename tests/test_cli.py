"""The command line: what each verb says of itself, and what it says when it cannot work."""

from __future__ import annotations

import inspect
import os
import re
import signal
import subprocess
import sys

import pytest

from imitation_ros import __version__, cli
from imitation_ros.algorithms.recipe import load_recipe, recipe_names


def run(monkeypatch, capsys, *arguments):
    """Return exit code, output and errors of `imitation-ros ...`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["imitation-ros", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    output = capsys.readouterr()
    code = ended.value.code
    return 0 if code is None else code, output.out, output.err


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_of_a_verb_names_every_option_and_says_what_each_argument_is(monkeypatch, capsys, verb):
    code, out, _ = run(monkeypatch, capsys, verb, "--help")
    assert code == 0
    words = re.sub(r"[^\S ]|[│╭╮╰╯─]", " ", out)
    words = re.sub(" +", " ", words)
    for parameter in inspect.signature(cli.VERBS[verb]).parameters.values():
        if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            assert f"--{parameter.name.replace('_', '-')}" in words
        documented = re.search(rf"^\s+{parameter.name}: (\S+(?: \S+)?)", cli.VERBS[verb].__doc__, re.MULTILINE)
        assert documented, f"{verb} says nothing about {parameter.name}"
        assert documented[1] in words
    assert inspect.getdoc(cli.VERBS[verb]).splitlines()[0] in words


@pytest.mark.parametrize("recipe", recipe_names())
def test_help_of_an_algorithm_names_each_of_its_settings_with_its_value_and_what_it_is(monkeypatch, capsys, recipe):
    pytest.importorskip("torch")
    from imitation_ros.training.settings import settings_of

    monkeypatch.setattr("imitation_ros.console.console._width", 200)
    _, out, _ = run(monkeypatch, capsys, "train", recipe, "--help")
    config = load_recipe(recipe)
    unused = {"ppo", "sac"} - {getattr(config, "learner", recipe)} if hasattr(config, "learner") else set()
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if len(line.split()) > 1}
    for each in settings_of(config):
        assert each.says, f"{recipe}: {each.name} has no docstring"
        if each.name.split(".")[0] not in unused:
            assert lines[each.name] == [*each.value.split(), *each.says.split()]
    assert lines["seed"][0] == str(config.seed)
    assert not [name for name in lines if name.split(".")[0] in unused]


def test_a_seed_of_0_wins_over_a_recipe_and_none_leaves_the_recipes(monkeypatch, capsys, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "mine.yaml").write_text("algorithm: ppo\nseed: 7\n")
    trained = []
    monkeypatch.setattr("imitation_ros.training.run_training", lambda job, only_finish: trained.append(job))
    line = ["train", "ppo", "--recipe", str(tmp_path / "mine.yaml"), "--output", str(tmp_path / "policy")]
    for more in ([], ["--seed", "0"]):
        run(monkeypatch, capsys, *line, *more)
    assert [job.config.seed for job in trained] == [7, 0]


@pytest.mark.parametrize(("verb", "words"), [("record", "SETUP"), ("deploy", "POLICY"), ("train", "ALGORITHM")])
def test_help_names_what_has_to_be_given(monkeypatch, capsys, verb, words):
    _, out, _ = run(monkeypatch, capsys, verb, "--help")
    assert f" {words} " in out and " STR " not in out.split("positional arguments")[1].split("options")[0]


def test_the_bare_command_lists_the_verbs_and_imports_nothing_heavy():
    script = (
        "import sys; from imitation_ros.cli import main; sys.argv = ['imitation-ros']\n"
        "try: main()\n"
        "except SystemExit as ended: print('CODE', ended.code)\n"
        "print('HEAVY', sorted({'torch', 'pybullet', 'rclpy', 'onnxruntime', 'h5py'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    for verb, function in cli.VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(function.__doc__.splitlines()[0])}", done.stdout, re.MULTILINE)
    assert "HEAVY []" in done.stdout
    assert "CODE 2" in done.stdout


def test_the_module_runs_as_the_command_does():
    done = subprocess.run(
        [sys.executable, "-m", "imitation_ros", "--version"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_a_pipe_that_closes_early_ends_the_command_without_a_traceback():
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "imitation_ros", "train", "gail", "--help"]
    done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writes)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize(("wrong", "right"), [("recrod", "record"), ("trian", "train"), ("dploy", "deploy")])
def test_an_unknown_verb_gets_a_suggestion(monkeypatch, capsys, wrong, right):
    code, _, err = run(monkeypatch, capsys, wrong)
    assert code == 2
    assert f"{wrong!r} is no verb. Did you mean {right!r}?" in err
    assert "imitation-ros <verb> --help" in err


def test_an_unknown_option_is_named(monkeypatch, capsys):
    code, out, err = run(monkeypatch, capsys, "train", "data", "--output", "policy", "--epoch", "3")
    assert code == 2
    assert "--epoch" in out + err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["train", "nowhere", "--output", "{tmp}/policy"],
            ["'nowhere' is no algorithm and no", "imitation-ros record"],
        ),
        (["train", "gial", "--output", "{tmp}/policy"], ["'gial'", "Did you mean 'gail'?", "airl, sqil, ppo, sac"]),
        (["train", "bc", "--data", "nowhere", "--output", "{tmp}/policy"], ["nowhere", "imitation-ros record"]),
        (["train", "gail", "--output", "{tmp}/policy"], ["gail learns from demonstrations: add --data"]),
        (["train", "{tmp}/file", "--output", "{tmp}"], ["{tmp}", "already exists"]),
        (["train", "{tmp}/file", "--output", "{tmp}/policy", "--recipe", "bcc"], ["'bcc'", "Did you mean 'bc'?"]),
        (["train", "ppo", "--output", "{tmp}/policy", "--recipe", "gail"], ["gail.yaml is a recipe of gail, not of"]),
        (["train", "ppo", "--output", "{tmp}/p", "--set", "ppo.clop=1"], ["ppo: 'clop'", "Did you mean 'clip'?"]),
        (["train", "ppo", "--output", "{tmp}/p", "--set", "clip"], ["--set is 'clip'; it should be name=value"]),
        (["train", "ppo", "--output", "{tmp}/p", "--updates", "3"], ["settings above ppo.yaml: 'updates' is unknown"]),
        (["train", "bc", "--output", "{tmp}/policy", "--updates", "-3"], ["updates is -3; it should be at least 1"]),
        (["train", "bc", "--output", "{tmp}/policy", "--steps", "0"], ["steps is 0; bc takes no steps of an"]),
        (["train", "ppo", "--output", "{tmp}/policy", "--seed", "-1"], ["seed is -1; it should be at least 0"]),
        (["evaluate", "expert", "--setup", "ur5e_insert"], ["the setup ur5e_insert has no `scene:`"]),
        (["operate", "ur5e_insert"], ["the setup ur5e_insert has no `scene:`"]),
        (["operate", "panda_reach", "--namespace", "9 bad"], ["--namespace is '9 bad'"]),
        (["info", "panda_rech"], ["panda_rech"]),
        (["evaluate", "{tmp}/nowhere"], ["nowhere"]),
        (["demo", "--output", "{tmp}/demo", "--tasks", "raech"], ["'raech'", "Did you mean 'reach'?"]),
        (["demo", "--output", "{tmp}/demo", "--tasks", "push"], ["'push'", "reach and pick_place"]),
        (["doctor", "{tmp}"], ["{tmp} is a folder"]),
        (["doctor", "panda_reach", "--namespace", "9 bad"], ["--namespace is '9 bad'", "letters, digits and _"]),
        (["new-robot", "arm", "--output", "{tmp}/a.yaml", "--namespace", "a//b"], ["--namespace is 'a//b'"]),
        (["record", "panda_reach", "--output", "{tmp}/out", "--namespace", "9 bad"], ["--namespace is '9 bad'"]),
    ],
)
def test_errors_are_words_without_a_traceback_and_exit_code_2(monkeypatch, capsys, tmp_path, arguments, words):
    (tmp_path / "file").touch()
    filled = [part.format(tmp=tmp_path) for part in arguments]
    code, out, err = run(monkeypatch, capsys, *filled)
    assert code == 2
    assert err.startswith(f"imitation-ros {arguments[0]}: ")
    for part in words:
        assert part.format(tmp=tmp_path) in err
    assert "Traceback" not in out + err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
