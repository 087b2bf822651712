"""Every command, option and setting that a message, a help text or a document advises is one, and takes what is shown.

Hints are collected from the package's string literals, from the help of every command and from the documents. Each is
held against the real commands; settings are given to a real ``plan``, and what is cheap runs as it stands.
"""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from anemonefish.cli.main import main
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from tests.reference_models import spec_of

REPOSITORY = Path(__file__).parents[3]
PACKAGE = REPOSITORY / "layers" / "anemonefish" / "src" / "anemonefish"
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")),
             REPOSITORY / "training" / "README.md", REPOSITORY / "clients" / "javascript" / "README.md"]  # fmt: skip

FILLED = "\N{REPLACEMENT CHARACTER}"
"""Stands for what an f-string fills in."""

SAMPLES = {
    "time_zone": "+10:00",
    "channel": "1",
    "median_windows": "3",
    "site": "north",
    "target_class": "anemonefish,biological",
}
"""What a message may fill in as the value of a setting."""

OTHERS = {"--parameter-overrides", "--guided", "--keep-foreign-metadata", "--date", "--recording", "--scenes", "--help"}
"""Options of other programs that texts mention by themselves."""

SCRIPT_OPTIONS = {
    option
    for script in (REPOSITORY / "training").glob("*.py")
    for option in re.findall(r'"(--[a-z-]+)"', script.read_text())
}
"""Options of the scripts in training/."""

_ASSIGNMENT = re.compile(r"--(set|profile-set)[ =]((?:'[^']*'|\"[^\"]*\"|[^\s`,;()\"'|])+)")
_OPTION = re.compile(r"(?<![\w`/-])(--[a-z][a-z-]+[a-z])(?![\w-])")
_ADVICE = re.compile(r"\bset ([a-z]+(?:_[a-z]+)*) to ([a-z0-9.]+)")


@dataclass(frozen=True)
class Text:
    """Something that a user reads."""

    where: str
    words: str

    def __str__(self) -> str:
        return self.where


def messages() -> Iterator[Text]:
    """Yield the string literals of the package, docstrings left out; what is filled in is marked."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body and isinstance(node.body[0], ast.Expr)
        }  # fmt: skip
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            where = f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                yield Text(where, "".join(
                    str(part.value) if isinstance(part, ast.Constant) else FILLED for part in node.values))  # fmt: skip
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | inside:
                yield Text(where, node.value)


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [name])
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands())
OPTIONS = {
    option for command in COMMANDS.values() for each in command.params for option in [*each.opts, *each.secondary_opts]
} | {"--version"}


def helps() -> Iterator[Text]:
    for path, command in COMMANDS.items():
        yield Text(" ".join(path), command.get_help(click.Context(command, info_name=path[-1])))


def documents() -> Iterator[Text]:
    for path in DOCUMENTS:
        yield Text(path.relative_to(REPOSITORY).as_posix(), path.read_text())


MESSAGES, DOCUMENTED = [*messages(), *helps()], [*documents()]
TEXTS = [*MESSAGES, *DOCUMENTED]


def code_lines(text: Text) -> Iterator[str]:
    """Yield the lines of the code blocks of a document, continued ones as one, and its inline code."""
    without_outputs = re.sub(r"^```text\n.*?^```", "", text.words, flags=re.M | re.S)
    blocks = re.sub(
        r"^```[^\n]*\n(.*?)^```", lambda found: re.sub("(?m)^", "    ", found[1]), without_outputs, flags=re.M | re.S
    )
    joined = blocks.replace("\\\n", " ")
    yield from (line.strip().removeprefix("$ ") for line in joined.splitlines() if line.startswith("    "))
    yield from re.findall(r"`([^`\n]+)`", joined)


# --- settings --------------------------------------------------------------------------------------------------------


def assignments(kind: str, texts: list[Text]) -> dict[str, str]:
    """Return every ``NAME=VALUE`` that a text advises, and where."""
    found: dict[str, str] = {}
    for text in texts:
        for option, raw in _ASSIGNMENT.findall(text.words):
            value = "".join(shlex.split(raw.rstrip(".")))
            assert "..." not in raw, f"{text.where}: --{option} {raw} cannot be pasted"
            if option == kind and "=" in value and value != "NAME=VALUE":
                name, _, filled = value.partition("=")
                value = f"{name}={SAMPLES[name]}" if FILLED in filled else value
                found.setdefault(value, text.where)
    return found


SET = {name: where for name, where in assignments("set", TEXTS).items() if not name.startswith("site=")}
"""Settings that texts advise. A site needs a calibration, whose own tests set it."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hints") / "reef.wav"
    # at the rate of the default model, which takes no other with --set resample=false
    write_scene(scene(4, seed=1, sample_rate=spec_of().sample_rate or 48_000), path)
    samples, rate = soundfile.read(path)
    soundfile.write(path, np.stack([samples, samples], axis=1), rate)  # with a second channel to choose
    return path


def test_hints_are_found() -> None:
    """The three that were wrong once, each found where it is printed."""
    printed = assignments("set", MESSAGES)
    assert {"time_zone=+10:00", "time_zone=UTC"} <= printed.keys()
    assert any(each.startswith("start=") for each in printed)
    assert {"time_zone=+10:00", "name_pattern=%d%m%y_%H%M%S"} <= assignments("set", DOCUMENTED).keys()


@pytest.mark.parametrize("assignment", SET)
def test_a_setting_that_is_advised_works_when_pasted(recording: Path, assignment: str) -> None:
    ended = CliRunner().invoke(main, ["plan", str(recording), "--set", assignment], catch_exceptions=False)
    assert ended.exit_code == 0, f"{SET[assignment]}: --set {assignment}: {ended.output}"


@pytest.mark.parametrize(
    "name",
    [
        "reef.wav", "20230210_120000.wav", "2022-11-21-birdnet-16:09:08.wav", "rec 5-6-23 101530.wav", "x_20230210.wav",
        "REC'1 100223 120000.wav", "20230210_120000_CST.wav", "2023-02-10T12-00-00_UTC-5.wav", "19700101_000554.WAV",
        "20231105_013000_PDT.wav", "1342218252.230210120000.wav", "5A3BC2F0.WAV", "%d 20230210$120000.wav",
    ],
)  # fmt: skip
def test_hints_about_a_name_work_on_the_recording_of_that_name(recording: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(recording.read_bytes())
    for options in ([], ["--set", "time_zone=America/New_York"]):
        said = CliRunner().invoke(main, ["plan", str(path), *options], catch_exceptions=False)
        assert said.exit_code == 0, said.output
        for raw in re.findall(r"--set ((?:'[^']*'|\"[^\"]*\"|\\.|[^\s,;)])+)", said.output):
            (assignment,) = shlex.split(raw.rstrip("."))
            ended = CliRunner().invoke(main, ["plan", str(path), "--set", assignment], catch_exceptions=False)
            assert ended.exit_code == 0, f"--set {assignment}: {ended.output}"


@pytest.mark.parametrize("text", [text for text in TEXTS if _ADVICE.search(text.words)], ids=str)
def test_set_name_to_value_names_a_setting_and_a_value(recording: Path, text: Text) -> None:
    for name, value in _ADVICE.findall(text.words):
        if value == "one":  # of those that the sentence names
            continue
        ended = CliRunner().invoke(main, ["plan", str(recording), "--set", f"{name}={value.rstrip('.')}"])
        assert ended.exit_code == 0, ended.output


# --- options and commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [text for text in MESSAGES if _OPTION.search(text.words)], ids=str)
def test_an_option_that_a_message_names_exists(text: Text) -> None:
    assert set(_OPTION.findall(text.words)) <= OPTIONS | OTHERS


@pytest.mark.parametrize("text", DOCUMENTED, ids=str)
def test_an_option_that_a_document_names_by_itself_exists(text: Text) -> None:
    for code in code_lines(text):
        if code.startswith("--"):
            assert _OPTION.findall(code)[:1] or code.startswith("--set"), code
            assert set(_OPTION.findall(code)) <= OPTIONS | OTHERS | SCRIPT_OPTIONS, code


@pytest.mark.parametrize("text", DOCUMENTED, ids=str)
def test_a_script_that_a_document_runs_has_the_options(text: Text) -> None:
    for code in code_lines(text):
        if found := re.match(r"(?:\S*bin/)?python ((?:\w+/)+\w+\.py)\b([^#]*)", code):
            script = REPOSITORY / found[1]
            assert script.is_file(), code
            for option in _OPTION.findall(found[2]):
                assert f'"{option}"' in script.read_text(), f"{code}: {found[1]} has no {option}"


def advised(text: Text) -> Iterator[list[str]]:
    """Yield the commands of ours that a text shows, as words."""
    for code in code_lines(text) if text in DOCUMENTED else ():
        for part in re.split(r"\s;\s|\s\|\s|&&", re.sub(r"\s#\s.*", "", code)):
            words = re.sub(r"^(?:\S*/bin/|python -m )", "", part.strip())
            if re.match(r"anemonefish(\s|$)", words):
                yield shlex.split(words)[1:]
    if text in MESSAGES:
        for found in re.finditer(
            r"\banemonefish ((?:[a-z]+(?:-[a-z]+)* ?)+)((?:\s*(?:--?[a-z][\w-]*|u-\S+))*)", text.words
        ):
            words = [*found[1].split(), *found[2].split()]
            told_to = re.search(r"(\brun|:|;|then|or|\bwith) $", text.words[: found.start()])
            if words[0] in main.list_commands(click.Context(main)) or told_to:
                yield words


def check_command(words: list[str]) -> None:
    """Fail for a command, an option or a value that is none; arguments may be missing where a text leaves them out."""
    path: tuple[str, ...] = ()
    while words and (*path, words[0]) in COMMANDS:
        path, words = (*path, words[0]), words[1:]
    if not path:
        assert not words or words[0] in {"--help", "--version", "-h", "..."}, f"there is no command {words[0]}"
        return
    command = COMMANDS[path]
    if isinstance(command, click.Group):
        assert not words or words[0].startswith(("-", "...")), f"{' '.join(path)} has no command {words[0]}"
        return
    try:
        command.make_context(path[-1], [word for word in words if word != "..."])
    except click.MissingParameter:
        return
    except click.BadOptionUsage as error:
        assert "requires an argument" in error.message  # noqa: PT017 - an option that is named without its value


COMMAND_TEXTS = [text for text in TEXTS if any(True for _ in advised(text))]


@pytest.mark.parametrize("text", COMMAND_TEXTS, ids=str)
def test_a_command_that_is_advised_is_one(text: Text, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANEMONEFISH_API_URL", "https://api.example.org")
    for words in advised(text):
        if text in MESSAGES:  # prose may follow the command's words
            path = 0
            while path < len(words) and tuple(words[: path + 1]) in COMMANDS:
                path += 1
            check_command(words[: max(1, path)] + [word for word in words[path:] if word.startswith("-")])
        else:
            check_command(words)


@pytest.mark.parametrize(
    "words", [["frobnicate"], ["detect", "x.wav", "--thresold", "1"], ["models", "delete"],
              ["plan", "x", "--jobs", "2"], ["detect", "x.wav", "--jobs", "many"],
              ["remote", "status", "e-1", "--waits"]],
)  # fmt: skip
def test_the_check_finds_a_command_that_is_none(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANEMONEFISH_API_URL", "https://api.example.org")
    with pytest.raises((AssertionError, click.UsageError)):
        check_command(words)


def test_commands_of_the_readme_run(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a laptop runs in seconds, in their order, in a folder like the one they speak of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "deployment").mkdir()
    (tmp_path / "deployment" / "reef.wav").write_bytes(recording.read_bytes())
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "reef.wav.txt").write_text("0.500000\t1.000000\tanemonefish\n")
    readme = Text("README.md", (REPOSITORY / "README.md").read_text())
    ran = []
    for code in code_lines(readme):
        words = shlex.split(code, comments=True)
        if words[:1] == ["anemonefish"] and words[1:2] in (["detect"], ["plan"], ["evaluate"], ["simulate"]):
            ended = CliRunner().invoke(main, words[1:], catch_exceptions=False)
            assert ended.exit_code == 0, f"{code}: {ended.output}"
            ran.append(words[1])
    assert ran == ["detect", "plan", "detect", "evaluate", "simulate"]


# --- make, pip, the environment --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", DOCUMENTED, ids=str)
def test_a_target_of_make_exists(text: Text) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text(), re.M))
    for code in code_lines(text):
        if code.startswith("make ") and "-C" not in code:
            assert {word for word in code.split("#")[0].split()[1:2] if "=" not in word} <= targets, code


@pytest.mark.parametrize("text", [text for text in TEXTS if "pip install" in text.words], ids=str)
def test_an_extra_that_pip_installs_exists(text: Text) -> None:
    project = tomllib.loads((PACKAGE.parents[1] / "pyproject.toml").read_text())["project"]
    for where, extras in re.findall(r"pip install (?:-e )?['\"]?([./\w]*)\[([\w,]+)\]", text.words):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
        # A message speaks to a Python that has the package; a document to one that has a checkout.
        assert where.endswith("layers/anemonefish") if text in DOCUMENTED else where == "anemonefish"


def test_a_variable_of_the_environment_is_read_somewhere() -> None:
    variables = {name for text in TEXTS for name in re.findall(r"\bANEMONEFISH_[A-Z][A-Z_]+\b", text.words)}
    assert "ANEMONEFISH_API_KEY" in variables
    assert variables <= _read_variables()


def _read_variables() -> set[str]:
    names = {f"ANEMONEFISH_{setting.name.upper()}" for setting in fields(Settings)}
    for folder in (PACKAGE, REPOSITORY / "functions"):
        for path in folder.rglob("*.py"):
            names |= set(re.findall(r"[\"'](ANEMONEFISH_[A-Z_]+)[\"']", path.read_text()))
    return names
