"""``lungscan web`` over a page that does not open."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import lungscan_web.main as page
from lungscan.errors import MachineError
from lungscan_cli.main import main
from lungscan_web.jobs.limits import Limits, size
from lungscan_web.server.settings import WebSettings

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[WebSettings]:
    """What pages were opened with."""
    found: list[WebSettings] = []

    def run(settings: WebSettings, say: object) -> int:
        found.append(settings)
        return 0

    monkeypatch.setattr(page, "run", run)
    return found


def test_by_default_it_is_for_this_machine_alone(opened: list[WebSettings]) -> None:
    assert main(["web"]) == 0
    (settings,) = opened
    assert (settings.host, settings.port, settings.auth) == ("127.0.0.1", 8765, None)
    assert settings.is_local
    assert settings.model == "auto"
    assert settings.limits == Limits()  # with Gradio, too
    assert size(settings.limits.upload_bytes) == "8 GB"


def test_every_option_reaches_the_page(opened: list[WebSettings], tmp_path: Path) -> None:
    words = "--model lung-histology --port 0 --host 192.0.2.7 --name a.example --name b.example"
    more = ["--auth", str(tmp_path / "users"), "--keep", "5", "--largest", "0.5"]
    assert main(["web", *words.split(), *more]) == 0
    (settings,) = opened
    assert (settings.model, settings.port, settings.host) == ("lung-histology", 0, "192.0.2.7")
    assert settings.names == ("a.example", "b.example")
    assert settings.auth == tmp_path / "users"
    assert (settings.limits.kept_seconds, settings.limits.upload_bytes) == (300, 500_000_000)


def test_another_address_without_passwords_is_wrong_usage(
    opened: list[WebSettings], capsys: Captured
) -> None:
    assert main(["web", "--host", "0.0.0.0"]) == 2
    assert "needs passwords" in capsys.readouterr().err
    assert opened == []


def test_a_user_is_added_with_a_password_that_is_typed_twice(
    opened: list[WebSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("click.prompt", lambda *_, **how: str(how["confirmation_prompt"]) * 3)
    users = tmp_path / "users"
    assert main(["web", "--auth", str(users), "--add-user", "kim"]) == 0
    assert users.read_text().startswith("kim:scrypt$")
    assert os.name == "nt" or stat.S_IMODE(users.stat().st_mode) == 0o600
    assert "kim can log in" in capsys.readouterr().err
    assert main(["web", "--add-user", "kim"]) == 2
    assert opened == []


def test_what_is_missing_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(page, "NEEDED", ("jinja2", "not_installed_at_all"))
    assert main(["web"]) == 5
    printed = capsys.readouterr().err
    assert "The page needs what is not installed here: not_installed_at_all" in printed
    assert 'python -m pip install "lungscan-histology[web]"' in printed


def test_an_unknown_model_is_reported_before_anything_opens(capsys: Captured) -> None:
    pytest.importorskip("uvicorn", reason="the page needs the extra `web`")
    assert main(["web", "--port", "0", "--model", "no-such-model"]) == 4
    assert "There is no model" in capsys.readouterr().err


def written_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for this machine and its key."""
    pytest.importorskip("cryptography", reason="the extra cluster makes certificates")
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    end = now + dt.timedelta(days=9999)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, end)
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths = folder / f"{name}.pem", folder / f"{name}-key.pem"
    paths[0].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, *plain))
    return paths


def test_a_certificate_and_a_key_that_do_not_fit_are_wrong_usage(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    (certificate, own), (_, other) = written_pair(tmp_path, "one"), written_pair(tmp_path, "two")
    page.require_certificate(WebSettings(certificate=certificate, certificate_key=own))
    given = ["--certificate", str(certificate), "--certificate-key", str(other)]
    assert main(["web", "--port", "0", *given]) == 2
    err = capsys.readouterr().err
    assert f"--certificate {certificate}" in err
    assert "cannot be used together" in err
    assert not list((tmp_path / "private").iterdir())


def test_a_page_that_cannot_begin_leaves_no_folder(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MachineError("no server")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(page, "make_server", fail)
    assert main(["web", "--port", "0"]) == 5
    assert not list(tmp_path.iterdir())
