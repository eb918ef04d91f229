"""`lungscan data`: audit, split and get, through the front door."""

from __future__ import annotations

import csv
import json
import zipfile
from hashlib import sha256
from pathlib import Path

import click
import pytest
from PIL import Image

from lungscan.dataset.public_sets import SOURCES
from lungscan_cli.commands.data import SOURCE_NAMES, data
from lungscan_cli.main import main
from tests.drawing import draw_he

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of four tissues with two pictures each, the second one mirrored."""
    root = tmp_path / "my data"
    for seed, label in enumerate(("benign", "tumour")):
        (root / label).mkdir(parents=True)
        for number in range(4):
            field = Image.fromarray(draw_he(72, 72, 10 * seed + number))
            field.save(root / label / f"{number}.png")
            field.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / label / f"{number}m.png")
    return root


def table_of(folder: Path, path: Path) -> Path:
    """A table of groups in which a tissue and its mirror image are one group."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.png"))
    lines = [f"{n},{n.split('/')[0]},{n.removesuffix('.png').removesuffix('m')}" for n in names]
    path.write_text("file,label,group\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_audit_tells_people_and_writes_a_report(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "audit.html"
    assert main(["data", "audit", str(folder), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "16 pictures in 8 groups, the largest of 2; 0 pictures alone" in shown.err
    assert "Research use only" in shown.err
    assert out.read_text(encoding="utf-8").count("<figure>") == 16


def test_audit_gives_programs_one_object(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    table = table_of(folder, tmp_path / "g.csv")
    assert main(["data", "audit", str(folder), "--groups", str(table), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["classes"] == {"benign": 8, "tumour": 8}
    assert ["benign/0.png", "benign/0m.png"] in printed["groups"]
    assert printed["agreement"]["precision"] == printed["agreement"]["recall"] == 1.0


def test_audit_names_what_a_network_will_see_otherwise(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    label = next(path for path in sorted(folder.iterdir()) if path.is_dir())
    Image.new("RGB", (40, 40), (200, 90, 160)).save(label / "0-tiny.png")
    Image.new("RGB", (300, 150), (190, 90, 160)).save(
        label / "long.tif", resolution_unit=3, resolution=40_000.0
    )
    main(["data", "audit", str(folder)])
    err = capsys.readouterr()
    shown = " ".join((err.out + err.err).split())
    assert "How a network will see the pictures:" in shown
    assert f"{label.name}/long.tif (300 × 150 px)" in shown
    assert f"{label.name}/long.tif (0.25 µm/px)" in shown
    assert f"{label.name}/0-tiny.png (40 × 40 px)" in shown
    main(["data", "audit", str(folder), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert f"{label.name}/0-tiny.png" in found["too_small"]
    assert found["sizes_px"]["300 x 150"] == 1
    assert found["scales_um_px"]["0.25"] == 1


def test_broken_pictures_end_with_1_and_are_named(folder: Path, capsys: Captured) -> None:
    (folder / "tumour" / "cut\x1b[31m.png").write_bytes(b"cut")
    (folder / "tumour" / "cut.png").write_bytes(b"cut")
    assert main(["data", "audit", str(folder)]) == 1
    err = capsys.readouterr().err
    assert "1 picture could not be read:\n  tumour/cut.png: is not an image" in err
    assert "\x1b[31m" not in err


def test_another_kind_of_report_is_refused_before_the_work(folder: Path, capsys: Captured) -> None:
    assert main(["data", "audit", str(folder), "--out", "a.docx"]) == 2
    assert capsys.readouterr().err == "Error: --out a.docx is neither FILE.html nor FILE.pdf.\n"


def test_split_finds_groups_where_none_are_given(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "split.csv"
    assert main(["data", "split", str(folder), "--out", str(out), "--seed", "3"]) == 0
    rows = {row["file"]: row for row in rows_of(out)}
    assert list(rows["benign/0.png"]) == ["file", "label", "group", "part"]
    assert len(rows) == 16
    for file, row in rows.items():
        mirrored = file.replace(".png", "m.png")
        if mirrored in rows:
            assert rows[mirrored]["part"] == row["part"]
            assert rows[mirrored]["group"] == row["group"]
    for label in ("benign", "tumour"):
        assert {r["part"] for r in rows.values() if r["label"] == label} == {
            "train",
            "validation",
            "test",
        }
    err = capsys.readouterr().err
    assert "No groups are given" in err
    assert "leaks" not in err


def test_the_random_protocol_says_that_it_leaks(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    out, table = tmp_path / "s.csv", table_of(folder, tmp_path / "g.csv")
    line = ["data", "split", str(folder), "--groups", str(table), "--protocol", "random"]
    assert main([*line, "--out", str(out)]) == 0
    assert "This split leaks: " in capsys.readouterr().err
    parts = {row["file"]: row["part"] for row in rows_of(out)}
    assert any(parts[f] != parts[f.replace(".png", "m.png")] for f in parts if "m.png" not in f)


def test_the_same_seed_writes_the_same_file(folder: Path, tmp_path: Path) -> None:
    table = table_of(folder, folder / "groups.csv")
    assert table.is_file()
    for name in ("a.csv", "b.csv"):
        assert main(["data", "split", str(folder), "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("split {0} --shares 70,30", "is not three numbers"),
        ("split {0} --shares 70,20,20", "does not share out 100 percent"),
        ("split {0} --shares 100,0,0", "does not share out 100 percent"),
        ("split {0} --protocol fair", "grouped"),
        ("split {0}/none", "does not exist"),
        ("split {0}/benign", "holds no class folders"),
        ("audit {0}/benign", "holds no class folders"),
        ("get mnist", "lc25000"),
        ("get lc25000 --sha256 00", "give it with --archive"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(
    tmp_path: Path, capsys: Captured, line: str, printed: str
) -> None:
    root = tmp_path / "data"
    (root / "benign").mkdir(parents=True)
    Image.fromarray(draw_he(24, 24)).save(root / "benign" / "1.png")
    assert main(["data", *line.format(root).split()]) == 2
    err = capsys.readouterr().err
    assert printed in err
    assert "Traceback" not in err


def test_too_few_groups_are_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    for path in (folder / "tumour").glob("[23]*"):
        path.unlink()
    out = tmp_path / "s.csv"
    assert main(["data", "split", str(folder), "--out", str(out)]) == 2
    assert capsys.readouterr().err.endswith(
        "Error: Class tumour has 2 groups; three at least are needed.\n"
    )
    assert not out.exists()


@pytest.mark.parametrize("name", SOURCE_NAMES)
def test_get_tells_where_terms_and_what_to_do(name: str, capsys: Captured) -> None:
    assert main(["data", "get", name]) == 0
    out = capsys.readouterr().out
    source = SOURCES[name]
    for text in (*source.where, source.licence, source.citation, source.size, "--archive FILE.zip"):
        assert text in out


def test_get_lays_an_archive_out_and_prints_its_checksum(tmp_path: Path, capsys: Captured) -> None:
    archive = tmp_path / "ct.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("Bengin cases", "Malignant cases", "Normal cases"):
            packed.writestr(f"top/{name}/1.jpg", b"x")
    digest = sha256(archive.read_bytes()).hexdigest()
    line = ["data", "get", "iq-oth-nccd", str(tmp_path / "d"), "--archive", str(archive)]
    assert main([*line, "--sha256", "0" * 64]) == 2
    assert not (tmp_path / "d").exists()
    capsys.readouterr()
    assert main([*line, "--sha256", digest.upper()]) == 0
    err = capsys.readouterr().err
    assert digest in err
    assert "no published checksum" not in err
    assert (tmp_path / "d" / "iq-oth-nccd" / "benign" / "1.jpg").is_file()
    assert main([*line]) == 2
    assert "no published checksum" in capsys.readouterr().err


def test_the_sources_are_those_of_the_engine() -> None:
    assert set(SOURCE_NAMES) == set(SOURCES)


def test_each_sub_command_has_help_with_examples(capsys: Captured) -> None:
    with click.Context(data) as ctx:
        names = data.list_commands(ctx)
    assert names == ["audit", "split", "get"]
    for name in names:
        assert main(["data", name, "--help"]) == 0
        assert capsys.readouterr().out.startswith("Examples:\n")


def test_get_takes_a_folder_that_another_program_unpacked(tmp_path: Path, capsys: Captured) -> None:
    folder = tmp_path / "set"
    for name in ("Bengin cases", "Malignant cases", "Normal cases"):
        (folder / name).mkdir(parents=True)
        (folder / name / "1.jpg").write_bytes(b"x")
    line = ["data", "get", "iq-oth-nccd", str(tmp_path / "d"), "--archive", str(folder)]
    assert main([*line, "--sha256", "0" * 64]) == 2
    assert "this is a folder" in capsys.readouterr().err
    assert main(line) == 0
    assert (tmp_path / "d" / "iq-oth-nccd" / "malignant" / "1.jpg").is_file()
    assert (folder / "Normal cases" / "1.jpg").is_file()
