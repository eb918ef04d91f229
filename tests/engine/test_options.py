"""A wrong option is refused whoever gives it, and no list of choices stands twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import pytest

from lungscan.classification.aggregate import RULES
from lungscan.classification.decide import decide
from lungscan.errors import NothingToDo, UsageProblem
from lungscan.options import ABSTAIN, DEVICES, PDF_CHOICES, RULE_NAMES, ScanOptions, is_device
from lungscan.report.write import rebuild
from lungscan.runtimes import load_runtime
from lungscan_cli.choices import DeviceType
from lungscan_cli.commands.classify import classify
from tests.engine.test_decide import CARD, REFUSED

PLAIN = ScanOptions((), Path())
NAN = float("nan")

WRONG: list[tuple[str, Any]] = [
    *[("abstain", value) for value in ("Strict", "STRICT", "none", "", None, 0, "never ", True)],
    *[("rule", value) for value in ("Mean", "tumor-aware", "", None, 1)],
    *[("pdf", value) for value in ("Auto", "case", "", None, False)],
    *[
        ("device", value)
        for value in ("gpu", "CPU", "cuda:", "cuda:-1", "cuda:N", "cuda:1\n", "cuda:٣", None, 0)
    ],
    *[("overlap", value) for value in (-0.1, 0.76, NAN, "0.5", None, True)],
    *[("mpp", value) for value in (0, -0.5, 0.04, 10.1, NAN, float("inf"), "0.5", True)],
    *[("batch_size", value) for value in (0, -1, 4097, 2.5, "16", True)],
    *[("threads", value) for value in (0, 257, 1.0, "2", True)],
    *[("timeout", value) for value in (0, -1, 86_401, NAN, "60", None)],
    *[(name, "no") for name in ("heatmap", "geojson", "fresh", "isolate", "deidentify")],
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_a_usage_problem_for_any_caller(name: str, value: object) -> None:
    with pytest.raises(UsageProblem, match=name.replace("_", "-")) as caught:
        ScanOptions((), Path(), **{name: value})  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    with pytest.raises(UsageProblem):
        dataclasses.replace(PLAIN, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("paths", "slides"),
        ("paths", [Path("x")]),
        ("paths", ("x",)),
        ("out", None),
        ("out", "out"),
        ("model", None),
        ("model", ""),
        ("cases", "x"),
        ("names", 3),
    ],
)
def test_paths_and_names_of_other_types_are_usage_problems(name: str, value: Any) -> None:
    given: dict[str, Any] = {"paths": (Path("x"),), "out": Path("out"), name: value}
    with pytest.raises(UsageProblem, match=name):
        ScanOptions(**given)


def test_every_right_value_is_taken() -> None:
    for name, values in (
        ("abstain", ABSTAIN), ("rule", RULE_NAMES), ("pdf", PDF_CHOICES),
        ("device", ("cpu-fp32", "cpu-bf16", "cuda:0", "cuda:12")), ("overlap", (0, 0.75)),
        ("mpp", (None, 0.05, 10, 0.5)), ("batch_size", (None, 1, 4096)), ("threads", (None, 256)),
    ):  # fmt: skip
        for value in values:
            assert getattr(dataclasses.replace(PLAIN, **{name: value}), name) == value  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", REFUSED)
@pytest.mark.parametrize("policy", ["Strict", "flagged", "", None])
def test_an_unknown_policy_never_acts_as_a_milder_one(reason: Any, policy: Any) -> None:
    with pytest.raises(AssertionError):
        decide(REFUSED[reason], CARD, "tumour-aware", policy)


def test_the_rules_by_name_are_those_that_can_be_asked_for() -> None:
    assert tuple(RULES) == RULE_NAMES


def test_the_shell_takes_its_choices_from_the_engine() -> None:
    options = {param.name: param for param in classify.params}
    for name, choices in (("abstain", ABSTAIN), ("rule", RULE_NAMES), ("pdf", PDF_CHOICES)):
        kind = options[name].type
        assert isinstance(kind, click.Choice)
        assert tuple(kind.choices) == choices
    assert isinstance(options["device"].type, DeviceType)
    help_text = options["device"].help  # type: ignore[attr-defined]
    assert all(name in help_text for name in DEVICES)


@pytest.mark.parametrize("name", [*DEVICES[:-2], "cuda:0", "cuda:3", DEVICES[-1]])
def test_the_shell_takes_every_device_of_the_engine(name: str) -> None:
    assert is_device(name)
    assert DeviceType().convert(name, None, None) == name
    completed = [item.value for item in DeviceType().shell_complete(None, None, name[:4])]  # type: ignore[arg-type]
    assert name in completed or name == "cuda:3"


@pytest.mark.parametrize("name", ["gpu", "cuda:N", "cpu-fp16", "CPU", ""])
def test_shell_and_runtimes_refuse_the_same_devices(name: str) -> None:
    with pytest.raises(click.BadParameter, match="cpu-fp32, cpu-bf16"):
        DeviceType().convert(name, None, None)
    with pytest.raises(UsageProblem, match="cpu-fp32, cpu-bf16"):
        load_runtime(CARD, name)


def test_rebuilding_takes_no_unknown_choice_of_pdfs(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="--pdf"):
        rebuild(tmp_path, pdf="None")  # type: ignore[arg-type]
    with pytest.raises(NothingToDo):
        rebuild(tmp_path, pdf="none")
