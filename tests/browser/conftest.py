"""What the tests of the pages share: the program, and a headless Chromium with checks that any page needs.

Chromium and its driver are those of the system (Debian: chromium, chromium-driver). Nothing is downloaded.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

REPOSITORY = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--force-device-scale-factor=1",
]
SCRIPT_SECONDS_MAX = 180
WAIT_SECONDS_MAX = 20


class Page:
    """The one tab of a browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str | Path, theme: str = "light", width: int = 1280, height: int = 900) -> None:
        """Opens an address or a file in a window of this size, for a reader who prefers this theme."""
        self.media(theme=theme)
        self.size(width, height)
        self.driver.get("about:blank")
        self.console()
        self.driver.get_log("performance")
        self.driver.get(address.as_uri() if isinstance(address, Path) else address)

    def size(self, width: int, height: int = 900) -> None:
        """Sets the size of the page's window, which can be narrower than a browser's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def media(self, medium: str = "", theme: str = "light") -> None:
        """Shows the page as on `print` or, with an empty text, on the screen."""
        features = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": features})

    def console(self) -> list[str]:
        """Warnings and errors of the console since the last call; a violation of the CSP is among them."""
        entries = self.driver.get_log("browser")
        return [f"{entry['level']}: {entry['message']}" for entry in entries if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """The addresses that the page has asked for since `open` or the last call, but for itself and for `data:`."""
        asked = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent" and message["params"]["type"] != "Document":
                asked.append(message["params"]["request"]["url"])
        return [address for address in asked if not address.startswith("data:")]

    def axe(self) -> list[str]:
        """Serious and critical violations that axe-core finds, each in a line."""
        source = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.driver.execute_script(source)
        run = "const done = arguments[0]; axe.run({ resultTypes: ['violations'] }).then(done, (error) => done(String(error)));"
        found = self.driver.execute_async_script(run)
        assert isinstance(found, dict), found
        return [
            f"{fault['impact']} {fault['id']} ({len(fault['nodes'])}): {fault['help']}: {fault['nodes'][0]['html'][:300]}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
        ]

    def script(self, text: str, *arguments: object) -> object:
        """The value that a script returns."""
        return self.driver.execute_script(text, *arguments)

    def one(self, selector: str) -> WebElement:
        """The first element that a CSS selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """All elements that a CSS selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that a CSS selector finds, whether the page shows them or not."""
        read = "return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent.trim())"
        return self.script(read, selector)

    def shown(self, selector: str) -> int:
        """How many of the elements that a CSS selector finds the page shows."""
        count = "return [...document.querySelectorAll(arguments[0])].filter((element) => element.checkVisibility()).length"
        return self.script(count, selector)

    def control(self, label: str, inside: str = "body") -> WebElement:
        """The control with this label in the element that `inside` selects."""
        find = (
            "return [...document.querySelectorAll(arguments[0] + ' label')].find((label) => label.textContent === arguments[1])"
        )
        found = self.script(f"{find}?.control ?? null", inside, label)
        assert found is not None, f"no control has the label {label}"
        return found

    def click(self, element: WebElement) -> None:
        """Brings an element into the middle of the window and clicks it."""
        self.script("arguments[0].scrollIntoView({ block: 'center' })", element)
        element.click()

    def wait(self, condition: str, *arguments: object) -> None:
        """Waits until a script returns something true."""
        WebDriverWait(self.driver, WAIT_SECONDS_MAX).until(lambda driver: driver.execute_script(condition, *arguments))


@pytest.fixture(scope="session")
def molsieve() -> Path:
    """The program: MOLSIEVE, by default the one of `cargo build --release`."""
    program = Path(os.environ.get("MOLSIEVE", REPOSITORY / "target/release/molsieve")).resolve()
    assert program.is_file(), f"{program} is missing; build it, or name another with MOLSIEVE"
    return program


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """A headless Chromium for all tests."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    assert all(programs), "chromium and chromedriver are missing; tests/browser/test.sh installs them"
    options = Options()
    options.binary_location = programs[0]
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    driver.set_script_timeout(SCRIPT_SECONDS_MAX)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: webdriver.Chrome) -> Page:
    """The tab of the browser, as a reader with a light theme has it."""
    page = Page(browser)
    page.open("about:blank")
    return page


def call(program: Path, *arguments: object) -> str:
    """What a command prints. Some rows of a job may be rejected (exit code 4)."""
    done = subprocess.run([program, *map(str, arguments)], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode in (0, 4), f"{arguments}: {done.returncode}\n{done.stderr}"
    return done.stdout
