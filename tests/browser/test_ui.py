"""`molsieve ui` in a real browser: a job from the form to its report, live, by keyboard and mouse, light and dark."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import REPOSITORY, Page, call
from selenium.webdriver.common.keys import Keys

LIBRARY = REPOSITORY / "examples/natural_products.csv"
RULES = REPOSITORY / "examples/rules/natural_products.toml"
WAIT_SECONDS_MAX = 60
# Widths of a telephone, a tablet and a screen.
WIDTHS = [360, 800, 1280]


@dataclass
class Served:
    """A daemon and the page before it."""

    program: Path
    folder: Path
    socket: Path
    address: str

    def submit(self, output: str, *flags: str, library: Path = LIBRARY) -> int:
        """Submits a job and returns its number."""
        files = ["--input", library, "--rules", RULES, "--output", self.folder / output]
        limits = ["--memory", "256MiB", "--threads", "1", "--engine", "cpu"]
        job = call(self.program, "submit", "--json", "--socket", self.socket, *files, *limits, *flags)
        return json.loads(job.splitlines()[0])["id"]

    def long_library(self, times: int = 40) -> Path:
        """A library that takes a job about a minute."""
        path = self.folder / "long.csv"
        head, *rows = LIBRARY.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([head, *(rows * times)]) + "\n", encoding="utf-8")
        return path


@pytest.fixture(scope="module")
def served(molsieve: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A daemon with memory for two jobs, and `molsieve ui`."""
    folder = tmp_path_factory.mktemp("ui")
    socket = folder / "d.sock"
    budget = ["--memory", "600MiB", "--threads", "2", "--gpus", "0", "--retry-delay", "0"]
    log = (folder / "daemon.log").open("w")
    daemon = subprocess.Popen([molsieve, "serve", "--socket", socket, "--state", folder / "state", *budget], stderr=log)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not socket.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    flags = ["--socket", socket, "--no-browser", "--json"]
    ui = subprocess.Popen([molsieve, "ui", *flags], stdout=subprocess.PIPE, text=True)
    address = json.loads(ui.stdout.readline())["address"]
    yield Served(molsieve, folder, socket, address)
    ui.send_signal(signal.SIGINT)
    assert ui.wait(WAIT_SECONDS_MAX) == 0
    daemon.terminate()
    daemon.wait(WAIT_SECONDS_MAX)
    log.close()


@pytest.fixture(scope="module")
def signed_in(served: Served, browser: object) -> Served:
    """The same, after the browser has opened the address: it opens once."""
    page = Page(browser)
    page.open(served.address)
    page.wait("return document.querySelector('#footer code') !== null")
    assert "token" not in page.driver.current_url
    return served


@pytest.fixture
def ui(signed_in: Served, page: Page) -> Iterator[Page]:
    """The page in the browser that has signed in; after the test, its console must be empty."""
    page.open(home(signed_in))
    page.wait("return document.querySelector('#footer code') !== null")
    yield page
    faults = [line for line in page.console() if "the server responded with a status of 4" not in line]
    assert faults == []


def home(served: Served) -> str:
    """The address without the token."""
    return served.address.split("?")[0]


def go(page: Page, place: str) -> None:
    """Opens a view by its address."""
    page.script("location.hash = arguments[0]", place)
    page.wait("return location.hash === arguments[0] && document.querySelector('main h1') !== null", place)


def field(page: Page, name: str) -> object:
    """A control of the form."""
    page.wait("return document.getElementById(arguments[0]) !== null", f"f-{name}")
    return page.one(f"#f-{name}")


def state(page: Page) -> str:
    """The state of the job that is shown."""
    return page.script("return document.querySelector('.job .badge')?.dataset.state ?? ''")


def wait_for_state(page: Page, *states: str) -> None:
    """Waits until the job that is shown is in one of these states."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while state(page) not in states:
        assert time.monotonic() < deadline, f"{state(page)} is none of {states}"
        time.sleep(0.05)


def number_of(page: Page) -> int:
    """The number of the job that is shown."""
    return int(page.driver.current_url.rsplit("/", 1)[1])


def has_report(program: Path) -> bool:
    """Whether the program has the verb `report`."""
    return subprocess.run([program, "report", "--help"], capture_output=True, check=False).returncode == 0


def test_a_second_visit_with_the_token_is_refused_without_the_cookie(signed_in: Served, page: Page) -> None:
    page.open(signed_in.address)
    assert page.driver.current_url == home(signed_in)
    cookies = page.driver.get_cookies()
    assert [cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies] == [True]
    page.driver.delete_all_cookies()
    try:
        page.open(signed_in.address)
        assert "start molsieve ui again" in page.one("body").text
    finally:
        page.driver.add_cookie(cookies[0])


def test_a_job_goes_from_the_form_to_its_report(signed_in: Served, ui: Page) -> None:
    go(ui, "#/new")
    field(ui, "input").send_keys(str(signed_in.long_library(6)))
    field(ui, "rules").send_keys(str(RULES))
    field(ui, "output").send_keys(str(signed_in.folder / "from-form"))
    field(ui, "name").send_keys("from the form <b>&amp;")
    field(ui, "memory").send_keys("256MiB")
    field(ui, "threads").send_keys("1")
    ui.click(ui.one("#f-properties-mw"))
    field(ui, "where").send_keys("mw <= 500")
    ui.click(ui.one("form button[type=submit]"))
    ui.wait("return location.hash.startsWith('#/job/')")
    # The name is text and no markup.
    ui.wait("return document.querySelector('h1').textContent.endsWith('from the form <b>&amp;')")
    wait_for_state(ui, "running")
    shares = set()
    while state(ui) == "running" and len(shares) < 200:
        shares.add(ui.one(".bar .share").text)
        time.sleep(0.1)
    wait_for_state(ui, "done")
    assert len(shares) >= 3, f"the progress did not move: {shares}"
    assert ui.one(".bar .share").text == "100.0 %"
    assert "is done" in ui.one("#status").get_attribute("textContent")
    rows = dict(zip(ui.texts(".funnel th[scope=row]"), ui.texts(".funnel td.number:nth-child(3)"), strict=True))
    assert int(rows["Rows read"].replace(",", "")) > 0
    assert int(rows["written"].replace(",", "")) > 0
    settings = dict(zip(ui.texts(".settings dt"), ui.texts(".settings dd"), strict=True))
    assert settings["where"] == "mw <= 500"
    assert (signed_in.folder / "from-form/manifest.json").exists()
    show_report(signed_in, ui)


def show_report(signed_in: Served, page: Page) -> None:
    """Opens the report in the page and in a tab; skipped where the program makes none."""
    address = f"{home(signed_in)}jobs/{number_of(page)}/report"
    assert page.one(".p-report a").get_attribute("href") == address
    page.click(page.one(".p-report button"))
    page.wait("return document.querySelector('.p-report .note').textContent === 'The report is below.'")
    if not has_report(signed_in.program):
        pytest.skip("this program has no verb `report`")
    page.open(address)
    assert page.one("h1").is_displayed()
    assert page.script("return self.origin") == "null"


def test_a_running_job_is_cancelled_after_a_question(signed_in: Served, ui: Page) -> None:
    job = signed_in.submit("to-cancel", library=signed_in.long_library())
    go(ui, f"#/job/{job}")
    wait_for_state(ui, "running")
    cancel = ui.one(".head .tools button.danger")
    cancel.send_keys(Keys.ENTER)
    ui.wait("return document.getElementById('confirm').open")
    # The safe answer has the focus, and Escape is the same answer.
    assert ui.driver.switch_to.active_element.text == "Keep it"
    ui.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    ui.wait("return !document.getElementById('confirm').open")
    assert ui.driver.switch_to.active_element == cancel
    assert state(ui) == "running"
    cancel.send_keys(Keys.ENTER)
    assert ui.axe() == []
    ui.driver.switch_to.active_element.send_keys(Keys.TAB)
    ui.driver.switch_to.active_element.send_keys(Keys.ENTER)
    wait_for_state(ui, "cancelled")
    remove = next(button for button in ui.all(".head .tools button") if button.text == "Remove…")
    ui.click(remove)
    ui.click(ui.one("#confirm-yes"))
    ui.wait("return location.hash === '#/'")
    ui.wait("return document.querySelector('.jobs, .none') !== null")
    time.sleep(3)
    assert f"#/job/{job}" not in [link.get_attribute("href") for link in ui.all(".jobs a")]


def test_the_priority_of_a_job_is_changed(signed_in: Served, ui: Page) -> None:
    job = signed_in.submit("preferred", library=signed_in.long_library())
    go(ui, f"#/job/{job}")
    wait_for_state(ui, "running")
    for label, priority in (("Lower the priority", -1), ("Raise the priority", 0), ("Raise the priority", 1)):
        ui.click(ui.one(f"[aria-label='{label}']"))
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            shown = call(signed_in.program, "status", "--json", "--socket", signed_in.socket, job)
            if json.loads(shown)["priority"] == priority:
                break
            assert time.monotonic() < deadline, shown
            time.sleep(0.1)
    call(signed_in.program, "cancel", "--socket", signed_in.socket, job)


def test_an_error_is_shown_at_its_field(signed_in: Served, ui: Page) -> None:
    go(ui, "#/new")
    field(ui, "input").send_keys("/a.smi\nb.smi")
    field(ui, "output").send_keys("/tmp/never")
    ui.click(ui.one("form button[type=submit]"))
    expect_fault(ui, "input", "Line 2: must be absolute")
    field(ui, "input").clear()
    field(ui, "input").send_keys("/a.smi")
    field(ui, "threads").send_keys("many")
    field(ui, "threads").send_keys(Keys.ENTER)
    expect_fault(ui, "threads", "")
    assert ui.shown("#f-input-fault") == 0
    field(ui, "threads").clear()
    # A setting that is further down is shown for its error.
    ui.click(ui.one(".more summary"))
    field(ui, "part_size").send_keys("1KiB")
    ui.click(ui.one(".more summary"))
    assert ui.shown("#f-part_size") == 0
    ui.click(ui.one("form button[type=submit]"))
    expect_fault(ui, "part_size", "not between")
    assert ui.axe() == []
    field(ui, "part_size").clear()
    # A job too large for the node.
    field(ui, "memory").send_keys("900GiB")
    ui.click(ui.one("form button[type=submit]"))
    expect_fault(ui, "memory", "it needs 900 GiB")
    assert ui.driver.current_url.endswith("#/new")


def expect_fault(page: Page, name: str, words: str) -> None:
    """Waits until a field has the focus and an error with these words, which belongs to the field."""
    page.wait(
        "return document.activeElement.id === arguments[0] && document.activeElement.ariaInvalid === 'true'",
        f"f-{name}",
    )
    error = page.one(f"#f-{name}-fault")
    assert error.is_displayed() and words in error.text, error.text
    assert f"f-{name}-fault" in page.one(f"#f-{name}").get_attribute("aria-describedby").split()


def test_every_setting_of_the_daemon_is_in_the_form(signed_in: Served, ui: Page) -> None:
    go(ui, "#/new")
    field(ui, "input")
    missing = ui.driver.execute_async_script("""
        const done = arguments[0];
        fetch('/v1/openapi.json').then((answer) => answer.json()).then((document_) => {
          const names = Object.keys(document_.components.schemas.JobSettings.properties);
          done(names.filter((name) => document.getElementById(`f-${name}`) === null));
        });""")
    assert missing == []


def test_settings_are_copied_to_a_new_job(signed_in: Served, ui: Page) -> None:
    job = signed_in.submit(
        "to-copy", "--where", "mw <= 321", "--properties", "mw,clogp", "--alerts", "pains", "--name", "copied"
    )
    go(ui, f"#/new/{job}")
    assert field(ui, "where").get_attribute("value") == "mw <= 321"
    assert field(ui, "name").get_attribute("value") == "copied"
    assert field(ui, "input").get_attribute("value") == str(LIBRARY)
    # A new job writes to a directory of its own.
    assert field(ui, "output").get_attribute("value") == ""
    chosen = [box.get_attribute("value") for box in ui.all("#f-properties input, #f-alerts input") if box.is_selected()]
    assert chosen == ["mw", "clogp", "pains"]
    assert ui.script("return document.querySelector('.more').open") is True


def test_the_list_is_live_and_keeps_the_focus(signed_in: Served, ui: Page) -> None:
    job = signed_in.submit("listed", "--name", "watched", library=signed_in.long_library())
    link = f".jobs a[href='#/job/{job}']"
    ui.wait("return document.querySelector(arguments[0]) !== null", link)
    ui.one(link).send_keys("")
    ui.script("document.querySelector(arguments[0]).focus()", link)
    row = "return document.querySelector(arguments[0]).closest('tr').innerText"
    ui.wait(
        "return document.querySelector(arguments[0]).closest('tr').querySelector('.badge').dataset.state === 'running'",
        link,
    )
    before = ui.script(row, link)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while ui.script(row, link) == before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ui.script(row, link) != before
    assert ui.script("return document.activeElement.getAttribute('href')") == f"#/job/{job}"
    call(signed_in.program, "cancel", "--socket", signed_in.socket, job)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_for_axe_and_nothing_is_cut_off(signed_in: Served, page: Page, theme: str) -> None:
    done = signed_in.submit(
        f"seen-{theme}", "--name", "a job with a rather long name that must not break the page at all"
    )
    call(signed_in.program, "watch", "--json", "--socket", signed_in.socket, done)
    for width in WIDTHS:
        page.open(home(signed_in), theme, width)
        for place in ["#/", f"#/job/{done}", "#/new"]:
            go(page, place)
            page.wait("return document.querySelector('.jobs tbody tr, .job .figures div, form') !== null")
            page.wait("return document.querySelector('#node div') !== null")
            if place == "#/new":
                page.click(page.one(".more summary"))
            if folder := os.environ.get("MOLSIEVE_SCREENSHOTS"):
                name = f"ui-{theme}-{width}-{place[2:5].strip('/') or 'jobs'}.png"
                page.driver.save_screenshot(str(Path(folder) / name))
            assert page.axe() == [], f"{place} at {width}"
            wider = page.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, f"{place} is {wider} pixels wider than {width}"


def test_the_page_asks_its_own_server_only(signed_in: Served, page: Page) -> None:
    page.open(home(signed_in))
    page.wait("return document.querySelector('#footer code') !== null")
    assert {address for address in page.requests() if not address.startswith(home(signed_in))} == set()
    # The keyboard reaches the content first.
    page.one("body").send_keys(Keys.TAB)
    assert page.driver.switch_to.active_element.text == "Skip to the content"
