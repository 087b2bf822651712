"""Every screen in light and dark, in a laptop's window and on a phone, judged by axe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localstack.serve import Service
from tests.page.conftest import DESKTOP, PHONE, REPOSITORY, Job, Open, show, show_results, sign_in

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)").expect

AXE = REPOSITORY / "web" / "node_modules" / "axe-core" / "axe.min.js"

DEVICES = {"laptop": DESKTOP, "phone": PHONE}


def violations(page, screen: str) -> list[str]:
    """Return what axe calls serious or critical on the present screen."""
    run = "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations)"
    found: list[dict[str, Any]] = page.evaluate(run)
    return [
        f"{screen}: {violation['id']} ({violation['impact']}): {violation['help']}: {node['html'][:160]}"
        for violation in found
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", DEVICES)
def test_axe_finds_nothing_serious_on_any_screen(
    open_page: Open, service: Service, job: Job, folder: Path, device: str, scheme: str
) -> None:
    # The product's policy forbids a script from elsewhere, also axe; it is lifted in this browser only.
    page = open_page(**DEVICES[device], color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    page.add_script_tag(path=AXE)
    page.get_by_label("API key").wait_for()
    found = violations(page, "sign in")
    sign_in(page, service.stack.api_key)

    page.get_by_label("Choose a folder").set_input_files(folder)
    expect(page.get_by_text("4 of 4 recordings ready")).to_be_visible()
    expect(page.get_by_role("button", name="Start the analysis")).to_be_enabled()
    page.get_by_text("More settings").click()
    found += violations(page, "start")

    for screen in ("executions", "uploads"):
        show(page, screen)
        expect(page.get_by_role("table")).to_be_visible()
        found += violations(page, screen)

    show_results(page, job)
    found += violations(page, "results")
    page.get_by_role("grid").get_by_role("row").nth(1).click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    found += violations(page, "event")

    show(page, f"executions/{job.id}/review")
    page.get_by_label("Your name or initials").fill("Ana")
    found += violations(page, "review, name")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    found += violations(page, "review")
    assert found == []
