"""A deployment without usable credentials ends before the build, with a sentence that says what to enter."""

from __future__ import annotations

from pathlib import Path

import pytest
from moto import mock_aws

from shipping.account import main


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def test_missing_credentials_are_named_first() -> None:
    with pytest.raises(SystemExit, match=r"no AWS credentials: run aws configure, or export AWS_PROFILE"):
        main(["--guided"])


def test_missing_region_is_named_unless_it_will_be_asked_for(key: None) -> None:
    with pytest.raises(SystemExit, match=r"no AWS region: export AWS_DEFAULT_REGION=eu-central-1"):
        main([])
    assert main(["--guided"]) == 0


def test_unknown_profile_is_named() -> None:
    with pytest.raises(SystemExit, match=r"cannot be used: .*\(lab\)"):
        main(["--profile", "lab", "--region", "eu-central-1"])


def test_account_is_printed_with_the_options_of_sam(key: None, capsys: pytest.CaptureFixture[str]) -> None:
    with mock_aws():
        assert main(["--region", "eu-central-1", "--no-execute-changeset"]) == 0
    assert capsys.readouterr().out.startswith("account 123456789012 in eu-central-1, as arn:aws:")
