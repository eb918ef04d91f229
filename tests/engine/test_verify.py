"""Whatever changes after a run is found and named; nothing that a record says is followed."""

from __future__ import annotations

import json
import os
import random
import shutil
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from lungscan.errors import ModelError, NothingToDo, OutputLocked, UsageProblem
from lungscan.events import CaseFinished
from lungscan.layout import LIST
from lungscan.report.write import rebuild
from lungscan.results.case_json import DamagedRecord, from_json, to_json
from lungscan.results.checksums import dump_sums, read_sums
from lungscan.results.lock import output_lock
from lungscan.scanning.scan import scan
from lungscan.verification.verify import AMISS, Check, State, verify
from lungscan_models import shipped_models
from tests.engine.scanning import files_below, make_field, make_slide, options, run
from tests.models import CARD, FakeRuntime, tiny_model

Found = dict[str, State]


@dataclass(frozen=True)
class Place:
    """A finished run and all it came from."""

    root: Path

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def images(self) -> Path:
        return self.root / "in"

    @property
    def model(self) -> Path:
        return self.root / "model"

    def case(self, stem: str) -> Path:
        """The folder of one case."""
        (folder,) = (self.out / "cases").glob(f"{stem}-*")
        return folder

    def checks(self) -> list[Check]:
        return list(verify(self.out, (self.images,), str(self.model)))

    def found(self) -> Found:
        """What is not the same, by path."""
        return {c.path: c.state for c in self.checks() if c.state is not State.SAME}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A slide and two fields, classified with every kind of file."""
    place = Place(tmp_path_factory.mktemp("verify"))
    make_slide(place.images / "s.svs", 512, 512)
    make_field(place.images / "a.png", side=120, seed=1)
    make_field(place.images / "sub" / "b.png", side=120, seed=2)
    tiny_model(place.model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lungscan.classification.loading.load_runtime", lambda *_: FakeRuntime())
        run(options(place.model, place.out, place.images, pdf="auto", heatmap=True, geojson=True))
    return place


@pytest.fixture
def place(finished: Place, tmp_path: Path) -> Place:
    """A copy of the finished run, to be spoiled."""
    shutil.copytree(finished.root, tmp_path / "copy")
    return Place(tmp_path / "copy")


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def texts(checks: list[Check]) -> str:
    return " ".join(check.text for check in checks)


# Nothing changed --------------------------------------------------------------------------------


def test_an_untouched_run_is_all_the_same(finished: Place) -> None:
    checks = finished.checks()
    assert {check.state for check in checks} == {State.SAME}
    areas = [check.area for check in checks]
    assert areas == sorted(areas, key=["output", "model", "input"].index)
    outputs = {check.path for check in checks if check.area == "output"}
    assert outputs == files_below(finished.out) - {LIST}
    assert [check.path for check in checks if check.area == "model"] == ["tiny 1.0"]
    inputs = [check.path for check in checks if check.area == "input"]
    assert inputs == ["in/a.png", "in/sub/b.png", "in/s.svs"]


def test_verifying_twice_says_the_same_and_writes_nothing(finished: Place) -> None:
    before = files_below(finished.root)
    assert finished.checks() == finished.checks()
    assert files_below(finished.root) == before


def test_a_run_that_goes_on_and_reports_made_again_hold(place: Place, fake: FakeRuntime) -> None:
    chosen = options(place.model, place.out, place.images, pdf="auto", heatmap=True, geojson=True)
    events = run(chosen)
    assert all(event.resumed for event in events if isinstance(event, CaseFinished))
    assert place.found() == {}
    (place.case("s") / "heatmap.png").unlink()
    run(chosen)
    assert place.found() == {}
    rebuild(place.out)
    assert place.found() == {}
    make_field(place.images / "a.png", side=120, seed=7)
    run(chosen)
    assert place.found() == {}
    run(replace(chosen, fresh=True, overlap=0.25))
    assert place.found() == {}


# Flipped bits -----------------------------------------------------------------------------------

KINDS = (
    *("out/cases.csv", "out/run.json", "out/summary.pdf", f"out/{LIST}"),
    *("out/cases/s-*/case.json", "out/cases/s-*/report.pdf", "out/cases/s-*/heatmap.png"),
    *("out/cases/s-*/tiles.csv", "out/cases/s-*/tiles.geojson", f"out/cases/s-*/{LIST}"),
    *("out/cases/a-*/case.json", "in/s.svs", "in/a.png", "model/weights.safetensors"),
    *("model/card.json", "model/graph.xml"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_each_flipped_bit_is_found_and_nothing_else_is_accused(place: Place, kind: str) -> None:
    (path,) = place.root.glob(kind)
    name = path.relative_to(place.root).as_posix().removeprefix("out/")
    name = "tiny 1.0" if name.startswith("model/") else name
    draw, bits = random.Random(kind), 8 * path.stat().st_size
    for bit in draw.sample(range(bits), 10):
        flip(path, bit)
        amiss = {path for path, state in place.found().items() if state in AMISS}
        assert amiss == {name}, bit
        flip(path, bit)
    assert place.found() == {}


# Cases of a record alone ------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path, fake: FakeRuntime) -> Place:
    """So many fields that each gets its record only, which the list of the run names."""
    place = Place(tmp_path / "many")
    for seed in range(13):
        make_field(place.images / f"{seed}.png", side=80, seed=seed)
    tiny_model(place.model)
    run(options(place.model, place.out, place.images))
    assert place.found() == {}
    return place


def test_any_change_to_a_record_alone_is_found(many: Place) -> None:
    whole, rng = many.case("5"), random.Random(5)
    record = whole / "case.json"
    sound = record.read_bytes()
    shown = f"cases/{whole.name}/"
    for bit in rng.sample(range(8 * len(sound)), 20):
        flip(record, bit)
        assert many.found() == {shown + "case.json": State.CHANGED}
        record.write_bytes(sound)
    record.rename(whole / "aside")
    assert many.found() == {shown + "case.json": State.MISSING}
    (whole / "aside").rename(record)
    for name in (LIST, "tiles.csv", "report.pdf"):
        (whole / name).write_bytes(b"x")
        assert many.found() == {shown + name: State.UNEXPECTED}
        (whole / name).unlink()
    shutil.copytree(whole, many.out / "cases" / "copy-0123abcd")
    assert many.found() == {"cases/copy-0123abcd/": State.UNEXPECTED}
    shutil.rmtree(many.out / "cases" / "copy-0123abcd")
    shutil.rmtree(whole)
    assert many.found() == {shown: State.MISSING}


def test_a_changed_record_alone_is_never_taken_up(many: Place) -> None:
    record = many.case("5") / "case.json"
    sound = from_json(record.read_bytes())
    wrong = to_json(replace(sound, seconds=sound.seconds + 1))
    changed = {f"cases/{record.parent.name}/case.json": State.CHANGED}
    record.write_bytes(wrong)
    with pytest.raises(DamagedRecord, match="was changed"):
        rebuild(many.out)
    assert many.found() == changed
    # A run over other inputs leaves it alone, and does not take it for sound either.
    make_field(many.root / "other.png", side=80, seed=99)
    run(options(many.model, many.out, many.root / "other.png"))
    assert many.found().items() >= changed.items()
    events = run(options(many.model, many.out, many.images))
    again = [e.result.case_id for e in events if isinstance(e, CaseFinished) and not e.resumed]
    assert again == ["5"]
    assert record.read_bytes() != wrong
    assert many.found() == {"other.png": State.MISSING}  # not below the folder asked for


def test_a_record_alone_that_gets_more_files_gets_a_list(many: Place) -> None:
    rebuild(many.out, pdf="cases")
    assert (many.case("5") / LIST).exists()
    assert many.found() == {}
    run(options(many.model, many.out, many.images))
    assert many.found() == {}


def test_records_alone_of_a_run_that_was_stopped(many: Place) -> None:
    for name in ("cases.csv", "run.json", LIST):
        (many.out / name).unlink()
    (many.out / "summary.pdf").unlink(missing_ok=True)
    checks = list(verify(many.out, model=str(many.model)))
    assert {check.state for check in checks} == {State.NOT_CHECKED}
    assert texts(checks).count("This case has no checksum") == 13
    run(options(many.model, many.out, many.images))
    assert many.found() == {}


# Missing, added, replaced -----------------------------------------------------------------------


def test_what_is_gone_is_named(place: Place) -> None:
    (place.out / "run.json").unlink()
    (place.case("a") / "report.pdf").unlink()
    (place.case("s") / LIST).unlink()
    shutil.rmtree(place.case("b"))
    (place.images / "a.png").unlink()
    a, s = place.case("a").name, place.case("s").name
    found = place.found()
    (b,) = (path for path in found if path.startswith("cases/b-"))
    assert b.endswith("/")
    assert found == dict.fromkeys(
        ["run.json", f"cases/{a}/report.pdf", f"cases/{s}/{LIST}", b, "in/a.png"], State.MISSING
    )


def test_files_of_ours_that_no_list_names(place: Place) -> None:
    added = place.case("a") / "heatmap-2.png"
    added.write_bytes(b"x")
    (place.case("a") / "my notes.txt").write_text("mine")
    (place.case("a") / ".tiles-0.journal").write_bytes(b"x")
    (place.out / "notes.txt").write_text("mine")
    shutil.copytree(place.case("b"), place.out / "cases" / "copy-0123abcd")
    assert place.found() == {
        added.relative_to(place.out).as_posix(): State.UNEXPECTED,
        "cases/copy-0123abcd/": State.UNEXPECTED,
    }


def test_a_case_replaced_by_a_sound_older_one(place: Place, finished: Place) -> None:
    folder = place.case("a")
    record = folder / "case.json"
    record.write_bytes(record.read_bytes().replace(b"0.", b"0.1", 1))
    sums = {**(read_sums(folder) or {}), "case.json": sha256(record.read_bytes()).hexdigest()}
    (folder / LIST).write_bytes(dump_sums(sums))
    shown = f"cases/{folder.name}/{LIST}"
    assert place.found() == {shown: State.CHANGED}


def test_without_its_list_a_run_is_not_taken_for_sound(place: Place) -> None:
    (place.out / LIST).unlink()
    assert place.found() == {LIST: State.MISSING}


def test_a_run_that_was_stopped(place: Place, fake: FakeRuntime, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    events = scan(options(place.model, out, place.images))
    for event in events:
        if isinstance(event, CaseFinished):
            break
    events.close()
    folder = next((out / "cases").iterdir())
    checks = list(verify(out, model=str(place.model)))
    assert {check.state for check in checks} == {State.SAME, State.NOT_CHECKED}
    assert "before it wrote its tables" in texts(checks)
    (folder / LIST).unlink()  # as if killed between its files and their list
    checks = list(verify(out, model=str(place.model)))
    assert "This case has no checksum" in texts(checks)


def test_nothing_to_verify_and_a_live_run(place: Place, tmp_path: Path) -> None:
    (tmp_path / "empty" / "cases").mkdir(parents=True)
    with pytest.raises(NothingToDo):
        list(verify(tmp_path / "empty"))
    with output_lock(place.out), pytest.raises(OutputLocked, match=f"process {os.getpid()}"):
        list(verify(place.out))


# Inputs and model -------------------------------------------------------------------------------


def test_without_paths_inputs_are_not_checked(place: Place) -> None:
    (place.images / "a.png").unlink()
    checks = [c for c in verify(place.out, model=str(place.model)) if c.state is not State.SAME]
    assert [(check.area, check.state) for check in checks] == [("input", State.NOT_CHECKED)]
    assert "lungscan verify DIR" in checks[0].text


def test_paths_that_do_not_lead_to_the_inputs(place: Place) -> None:
    checks = list(verify(place.out, (place.images / "sub",), str(place.model)))
    assert [c.state for c in checks if c.area == "input"] == [State.MISSING] * 3
    with pytest.raises(UsageProblem):
        list(verify(place.out, (place.root / "nowhere",), str(place.model)))


def test_two_folders_of_one_name(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    paths = tuple(tmp_path / name / "in" for name in "xy")
    for seed, path in enumerate(paths):
        make_field(path / "f.png", side=120, seed=seed)
    out = tmp_path / "out"
    run(options(model, out, *paths))
    checks = list(verify(out, paths, str(model)))
    assert [c.state for c in checks if c.area == "input"] == [State.SAME] * 2
    flip(paths[1] / "f.png", 999)
    checks = list(verify(out, paths, str(model)))
    assert [c.state for c in checks if c.area == "input"] == [State.SAME, State.CHANGED]


def test_failed_cases_have_no_hash(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    run(options(model, tmp_path / "out", tmp_path / "in"))
    checks = list(verify(tmp_path / "out", (tmp_path / "in",), str(model)))
    assert [c.state for c in checks if c.area == "input"] == [State.NOT_CHECKED]
    assert "(1)" in checks[-1].text


def test_another_model(place: Place, tmp_path: Path) -> None:
    other = tiny_model(tmp_path / "other", replace(CARD, version="2.0"))
    checks = [c for c in verify(place.out, model=str(other.folder)) if c.area == "model"]
    assert [check.state for check in checks] == [State.CHANGED]
    assert "tiny 2.0" in checks[0].text
    checks = [check for check in verify(place.out) if check.area == "model"]
    assert [check.state for check in checks] == [State.NOT_CHECKED]
    with pytest.raises(ModelError):
        list(verify(place.out, model="no-such-model"))


# Hostile records --------------------------------------------------------------------------------


def forge(place: Place, **changes: object) -> Path:
    """Change a record and make its lists fit, as only somebody on purpose would."""
    folder = place.case("a")
    record = folder / "case.json"
    values = json.loads(record.read_bytes()) | changes
    record.write_text(json.dumps(values))
    reseal(place, folder)
    return folder


def reseal(place: Place, folder: Path, **names: str) -> None:
    digest = sha256((folder / "case.json").read_bytes()).hexdigest()
    sums = (read_sums(folder) or {}) | {"case.json": digest} | names
    (folder / LIST).write_bytes(dump_sums(sums))
    pins = read_sums(place.out) or {}
    pins[f"cases/{folder.name}/{LIST}"] = sha256((folder / LIST).read_bytes()).hexdigest()
    (place.out / LIST).write_bytes(dump_sums(pins))


HOSTILE = (
    "/etc/passwd", "../../../../../etc/passwd", "in/../../../../etc/passwd", "\x00", "\x1b[2J",
    "C:\\Windows\\win.ini", "in/" + "x" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_path_in_a_record_is_never_opened(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    secret = sha256(Path("/etc/passwd").read_bytes()).hexdigest() if os.name != "nt" else "0" * 64
    files = json.loads((place.case("a") / "case.json").read_bytes())["files"]
    forge(place, files=[files[0] | {"relative_path": name, "sha256": secret}])
    opened: list[str] = []
    honest = Path.open

    def watched(self: Path, *args: object, **more: object) -> object:
        opened.append(str(self.resolve()))
        return honest(self, *args, **more)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", watched)
        assert place.found() == {name: State.MISSING}
    allowed = (str(place.root.resolve()), str(shipped_models()))
    assert any(path.startswith(allowed[0]) for path in opened)
    assert all(path.startswith(allowed) for path in opened)


def test_a_model_s_name_is_never_a_path(place: Place, tmp_path: Path) -> None:
    elsewhere = tiny_model(tmp_path / "elsewhere")
    stamp = json.loads((place.case("a") / "case.json").read_bytes())["model"]
    for name in (str(elsewhere.folder), "../elsewhere", "../" * 9, "."):
        forge(place, model=stamp | {"name": name})
        states = {c.state for c in verify(place.out) if c.area == "model"}
        assert states == {State.NOT_CHECKED}


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "../../escaped"},
        {"files": 10**1000},
        {"files": [{"relative_path": "x"}]},
        {"model": None},
        {"schema_version": 10**30},
    ],
    ids=str,
)
def test_records_that_make_no_sense_are_named(place: Place, changes: dict[str, object]) -> None:
    folder = forge(place, **changes)
    assert place.found() == {f"cases/{folder.name}/case.json": State.DAMAGED}


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 100_000, '{"a":' * 100_000, "1e999", "\x80"])
def test_texts_that_break_parsers_are_named(place: Place, value: str) -> None:
    folder = place.case("a")
    (folder / "case.json").write_text(f'{{"key": {value}}}', encoding="latin-1")
    reseal(place, folder)
    assert place.found() == {f"cases/{folder.name}/case.json": State.DAMAGED}


def test_huge_numbers_that_nobody_needs_are_not_looked_at(place: Place) -> None:
    huge = {"boxes": {"shape": [10**12, 10**12]}, "probs": [1e308] * 3}
    forge(place, scores=[huge], counts=10**4000, tissue_mm2=10**4000)
    assert place.found() == {}


def test_a_list_that_leads_out_of_its_folder(place: Place) -> None:
    folder = place.case("a")
    reseal(place, folder, **{"../../../../etc/passwd": "0" * 64})
    assert place.found() == {f"cases/{folder.name}/{LIST}": State.DAMAGED}


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_and_pipes_are_not_followed(place: Place, finished: Place) -> None:
    folder = place.case("a")
    for name, target in (("report.pdf", finished.case("a") / "report.pdf"), ("tiles.csv", None)):
        (folder / name).unlink()
        if target:
            (folder / name).symlink_to(target)
        else:
            os.mkfifo(folder / name)  # reading it would wait for ever
    away = place.root / "away"
    place.case("b").rename(away)
    (place.out / "cases" / finished.case("b").name).symlink_to(away)
    (place.case("s") / LIST).rename(place.root / "list")
    (place.case("s") / LIST).symlink_to(place.root / "list")
    assert place.found() == {
        f"cases/{folder.name}/report.pdf": State.CHANGED,
        f"cases/{folder.name}/tiles.csv": State.CHANGED,
        f"cases/{finished.case('b').name}/": State.MISSING,
        f"cases/{finished.case('s').name}/{LIST}": State.CHANGED,
    }
    (place.out / LIST).rename(place.root / "root")
    (place.out / LIST).symlink_to(place.root / "root")
    assert place.found()[LIST] is State.DAMAGED


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read anything")
def test_what_may_not_be_read_is_reported(place: Place) -> None:
    (place.out / "cases.csv").chmod(0)
    assert place.found() == {"cases.csv": State.UNREADABLE}


def test_a_disk_that_fails_is_reported(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: Path) -> str:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("lungscan.verification.outputs.digest_of", failing)
        found = place.found()
    assert set(found.values()) == {State.UNREADABLE}
    assert "cases.csv" in found
