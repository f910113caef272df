"""The page of `molsieve report`, made by the real program from real runs and read in a browser."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import REPOSITORY, Page, call
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

BYTES_MAX = 10 << 20
STRUCTURES_MIN = 200
CARDS_AT_ONCE = 48
RULE_COLUMNS = ["parents", "sites", "made", "unique", "unchanged", "invalid", "filtered", "capped"]
LIBRARY = ["--input", "examples/natural_products.csv"]
RULES = ["--rules", "examples/rules/natural_products.toml"]
BOUND = ["--memory", "256MiB"]
# Texts that would be markup, or end the script element that holds the data, in a page that is careless.
HOSTILE_RULE = '<script>alert("rule")</script>'
HOSTILE_IDS = [
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(2)</script>",
    "<!--<script>",
    'O\'Neil "quoted" {{script}}',
]


class Report(NamedTuple):
    """A page, and the output directories of its runs."""

    page: Path
    runs: list[Path]

    def manifest(self, run: int = 0) -> dict:
        """The manifest of a run."""
        return json.loads((self.runs[run] / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def one(molsieve: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of the job of README.md: 108 rules on 621 molecules."""
    folder = tmp_path_factory.mktemp("one")
    run, page = folder / "derivatives", folder / "report.html"
    call(molsieve, "run", *LIBRARY, *RULES, "--output", run, *BOUND)
    call(molsieve, "report", run, "-o", page)
    return Report(page, [run])


@pytest.fixture(scope="session")
def two(molsieve: Path, one: Report, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of that job and of one with a filter and one more rule, so that each has products of its own."""
    folder = tmp_path_factory.mktemp("two")
    light, page, more = folder / "light", folder / "report.html", folder / "more.toml"
    more.write_text("[[rule]]\nname = 'aromatic_deuteration'\nsmirks = '[cH:1]>>[c:1][2H]'\n", encoding="utf-8")
    call(molsieve, "run", *LIBRARY, *RULES, "--rules", more, "--where", "mw <= 400", "--output", light, *BOUND)
    call(molsieve, "report", one.runs[0], light, "-o", page)
    return Report(page, [one.runs[0], light])


@pytest.fixture(params=["one", "two"])
def either(request: pytest.FixtureRequest) -> Report:
    """Each kind of report."""
    return request.getfixturevalue(request.param)


def number(text: str) -> int:
    """A whole number as the page writes it."""
    return int(text.replace(",", "").replace("−", "-"))


def embedded(page: Page) -> dict:
    """The data in the page."""
    return json.loads(page.script("return document.getElementById('report').textContent"))


def funnel(page: Page) -> dict[tuple[str, str | None], int]:
    """The counts of the funnel by stage and loss; a stage itself has no loss, and a lost count is negative."""
    rows = page.script(
        "return [...document.querySelectorAll('#funnel tr[data-stage]')]"
        ".map((row) => [row.dataset.stage, row.dataset.loss ?? null, row.querySelector('td').textContent])"
    )
    return {(stage, loss): number(count) for stage, loss, count in rows}


def rule_rows(page: Page, shown: bool = False) -> list[list[str]]:
    """The cells of the rules' table, row by row; with `shown`, of the rows that the page shows."""
    return page.script(
        "return [...document.querySelectorAll('#rules tbody tr')].filter((row) => !arguments[0] || row.checkVisibility())"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))",
        shown,
    )


# ---- what the page is ----


def test_the_page_is_small(either: Report) -> None:
    assert either.page.stat().st_size < BYTES_MAX


def test_the_page_asks_for_nothing(either: Report, page: Page) -> None:
    page.open(either.page)
    page.script("window.scrollTo(0, document.body.scrollHeight)")
    assert page.requests() == []
    assert page.console() == []
    policy = page.one("meta[http-equiv='Content-Security-Policy']").get_attribute("content")
    assert "default-src 'none'" in policy


def test_the_title_names_the_runs(either: Report, page: Page) -> None:
    page.open(either.page)
    for run in either.runs:
        assert run.name in page.driver.title
        assert run.name in page.texts("h1")[0]
        assert str(run) in page.texts("#banner .path code")
    versions = either.manifest()["software"]
    assert f"release {versions['rdkit']}, doi:10.5281/zenodo.591637" in page.texts("#cite")[0]
    assert f"molsieve {versions['molsieve']}" in page.texts("#cite")[0]


def test_landmarks_and_headings_are_in_order(either: Report, page: Page) -> None:
    page.open(either.page)
    for landmark in ("header", "nav[aria-label]", "main", "footer"):
        assert len(page.all(landmark)) == 1
    levels = page.script("return [...document.querySelectorAll('h1, h2, h3, h4')].map((head) => Number(head.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    broken = "return [...document.querySelectorAll('#contents a')].filter((link) => !document.querySelector(link.hash)).length"
    assert page.script(broken) == 0


@pytest.mark.parametrize("width", [360, 1280, 1600])
def test_no_width_makes_the_page_scroll_sideways(either: Report, page: Page, width: int) -> None:
    page.open(either.page, width=width)
    assert page.script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_fault(either: Report, page: Page, theme: str) -> None:
    page.open(either.page, theme=theme)
    assert page.axe() == []


# ---- numbers ----


def test_the_funnel_has_the_numbers_of_the_manifest(one: Report, page: Page) -> None:
    page.open(one.page)
    counts = one.manifest()["counts"]
    shown = funnel(page)
    numbers = [count for (_, loss), count in shown.items() if loss is None]
    assert numbers[0] == counts["parents_read"]
    assert numbers[-1] == counts["products_unique"]
    assert counts["parents_transformed"] in numbers
    assert counts["products_made"] in numbers
    lost = counts["parents_read"] - counts["parents_transformed"] + counts["products_made"] - counts["products_unique"]
    assert -sum(count for (_, loss), count in shown.items() if loss is not None) == lost
    assert f"{counts['products_unique']:,}" in page.texts("#banner .lead")[0]
    for stage in embedded(page)["runs"][0]["funnel"]:
        assert shown[stage["label"], None] == stage["count"]
        for loss in stage["losses"]:
            assert -shown.get((stage["label"], loss["label"]), 0) == loss["count"]


def test_each_rule_has_the_numbers_of_the_manifest(one: Report, page: Page) -> None:
    page.open(one.page)
    rows = rule_rows(page)
    rules = one.manifest()["by_rule"]
    assert [row[0] for row in rows] == [rule["name"] for rule in rules]
    for row, rule in zip(rows, rules):
        assert [number(cell) for cell in row[1 : 1 + len(RULE_COLUMNS)]] == [rule[key] for key in RULE_COLUMNS], rule["name"]


def test_files_have_their_sums(one: Report, page: Page) -> None:
    page.open(one.page)
    text = page.texts("#files")[0]
    for file in one.manifest()["files"]:
        assert file["name"] in text and file["sha256"] in text and f"{file['rows']:,}" in text
    assert (one.runs[0] / "job.toml").read_text(encoding="utf-8").strip() in page.texts("#settings pre")


def test_histograms_say_what_they_show(one: Report, page: Page) -> None:
    page.open(one.page)
    properties = embedded(page)["runs"][0]["properties"]
    assert page.script("return [...document.querySelectorAll('.histogram')].map((figure) => figure.dataset.property)") == [
        shown["name"] for shown in properties
    ]
    names = page.script(
        "return [...document.querySelectorAll('.histogram svg')].map((image) => image.getAttribute('aria-label'))"
    )
    for shown, name in zip(properties, names):
        assert shown["meaning"] in name and "median" in name and f"{shown['rows']:,} rows" in name
    bars = page.script("return document.querySelector('.histogram').querySelectorAll('rect').length")
    assert bars == len(properties[0]["bins"])


# ---- the rules' table ----


def test_rules_are_sorted_by_each_column(one: Report, page: Page) -> None:
    page.open(one.page)
    page.click(page.one("#rules .more"))
    given = rule_rows(page)
    heads = page.texts("#rules thead th")
    assert heads[1:-1] == RULE_COLUMNS
    for column, head in enumerate(heads):
        numeric = column > 0
        button = page.all("#rules thead th button")[column]
        page.click(button)
        sorting = page.script("return [...document.querySelectorAll('#rules thead th')].map((head) => head.ariaSort)")
        assert sorting[column] == ("descending" if numeric else "ascending"), head
        assert sorting.count("none") == len(heads) - 1
        cells = [row[column] for row in rule_rows(page)]
        values = [float(cell.replace(",", "")) for cell in cells] if numeric else cells
        assert values == sorted(values, reverse=numeric), head
        page.click(button)
        turned = [row[column] for row in rule_rows(page)]
        assert sorted(turned) == sorted(cells) and (len(set(cells)) == 1 or turned != cells), head
        page.click(button)
        assert rule_rows(page) == given, "the third click brings the order of the rules back"


def test_rules_are_filtered(one: Report, page: Page) -> None:
    page.open(one.page)
    names = [rule["name"] for rule in one.manifest()["by_rule"]]
    assert len(rule_rows(page, shown=True)) < len(names), "a long table begins short"
    wanted = [name for name in names if "phenol" in name and "methyl" in name]
    assert 0 < len(wanted) < len(names)
    box = page.control("Filter rules")
    box.send_keys("PHENOL methyl")
    assert [row[0] for row in rule_rows(page, shown=True)] == wanted
    assert page.texts("#rules .count") == [f"{len(wanted)} of {len(names)} rules"]
    box.clear()
    box.send_keys("x" + Keys.BACKSPACE)
    page.click(page.one("#rules .more"))
    assert len(rule_rows(page, shown=True)) == len(names)


def test_a_rule_leads_to_its_structures(one: Report, page: Page) -> None:
    page.open(one.page)
    link = page.all("#rules button.link")[3]
    name = link.text
    page.click(link)
    assert set(page.script("return [...document.querySelectorAll('.card')].map((card) => card.dataset.rule)")) == {name}
    assert Select(page.control("Rule")).first_selected_option.text == name


# ---- structures ----


def test_structures_are_shown_in_portions(one: Report, page: Page) -> None:
    page.open(one.page)
    gallery = embedded(page)["runs"][0]["gallery"]
    assert len(gallery) >= STRUCTURES_MIN
    assert len(page.all(".card")) == CARDS_AT_ONCE
    assert f"{CARDS_AT_ONCE} of {len(gallery)} structures shown" in page.texts("#structures .count")[0]
    assert "not all" in page.texts("#structures .note")[0], "the page says that this is a sample"
    while page.shown("#structures .more"):
        before = len(page.all(".card"))
        page.click(page.one("#structures .more"))
        assert len(page.all(".card")) > before
    assert page.script("return [...document.querySelectorAll('.card')].map((card) => Number(card.dataset.row))") == [
        structure["row"] for structure in gallery
    ]
    drawings = page.script(
        "return [...document.querySelectorAll('.card svg.molecule')].map((image) => image.querySelectorAll('path').length)"
    )
    assert len(drawings) == 2 * len(gallery) and min(drawings) > 0
    assert (
        page.script("return document.querySelectorAll('.molecule [id], .molecule script, .molecule image, .molecule a').length")
        == 0
    )


def test_structures_are_filtered_and_sorted(one: Report, page: Page) -> None:
    page.open(one.page)
    gallery = embedded(page)["runs"][0]["gallery"]
    cards = "return [...document.querySelectorAll('.card')].map((card) => Number(card.dataset.row))"

    rule = gallery[-1]["rule"]
    Select(page.control("Rule")).select_by_visible_text(rule)
    assert page.script(cards) == [structure["row"] for structure in gallery if structure["rule"] == rule]
    Select(page.control("Rule")).select_by_index(0)

    property_name = "mw" if "mw" in gallery[0]["properties"] else next(iter(gallery[0]["properties"]))
    Select(page.control("Order")).select_by_visible_text(f"{property_name}, highest first")
    highest = sorted((structure["properties"][property_name] for structure in gallery), reverse=True)
    value = {structure["row"]: structure["properties"][property_name] for structure in gallery}
    assert [value[row] for row in page.script(cards)] == highest[:CARDS_AT_ONCE]
    Select(page.control("Order")).select_by_visible_text("row")
    assert page.script(cards) == sorted(value)[:CARDS_AT_ONCE]
    Select(page.control("Order")).select_by_index(0)

    wanted = gallery[len(gallery) // 2]["parent_id"]
    page.control("Search").send_keys(wanted)
    rows = page.script(cards)
    assert gallery[len(gallery) // 2]["row"] in rows and len(rows) < CARDS_AT_ONCE
    page.control("Search").send_keys("no such structure")
    assert page.script(cards) == []
    assert "0 of 0 structures" in page.texts("#structures .count")[0]


def test_a_card_has_its_texts(one: Report, page: Page) -> None:
    page.open(one.page)
    structure = embedded(page)["runs"][0]["gallery"][0]
    card = page.one(".card")
    text = page.script("return arguments[0].textContent", card)
    for wanted in (
        structure["rule"],
        structure["parent_id"],
        structure["smiles"],
        f"site {structure['site']}",
        *structure["properties"],
    ):
        assert wanted in text
    names = [image.get_attribute("aria-label") for image in card.find_elements(By.CSS_SELECTOR, "svg[role=img]")]
    assert names == [f"Parent: {structure['parent_smiles']}", f"Product: {structure['smiles']}"]
    if structure["highlighted"]:
        assert len(page.texts(".legend li")) == 3


def test_a_smiles_is_copied(one: Report, page: Page) -> None:
    page.open(one.page)
    smiles = page.texts(".card .smiles code")[0]
    page.script(
        "window.copied = []; document.addEventListener('copy', () => copied.push(String(document.activeElement.value)))"
    )
    page.script(
        "Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { copied.push(text); } } })"
    )
    page.click(page.one(".card .smiles button"))
    page.wait("return copied.length === 1")
    assert page.script("return copied") == [smiles]
    page.wait("return document.getElementById('status').textContent === 'SMILES copied'")


@pytest.mark.parametrize("preferred", ["light", "dark"])
def test_the_theme_follows_the_system_until_chosen(one: Report, page: Page, preferred: str) -> None:
    page.open(one.page, theme=preferred)
    brightness = (
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0)"
    )
    assert (page.script(brightness) > 384) == (preferred == "light")
    page.click(page.one("button.theme"))
    assert (page.script(brightness) > 384) == (preferred == "dark")
    page.click(page.one("button.theme"))
    assert (page.script(brightness) > 384) == (preferred == "light")


def test_the_keyboard_reaches_each_control(one: Report, page: Page) -> None:
    page.open(one.page)
    page.script("document.body.focus()")
    reached = set()
    for _ in range(90):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        active = page.driver.switch_to.active_element
        place = page.script(
            "const at = arguments[0]; return at.matches('.skip') ? 'skip' : at.matches('.theme') ? 'theme'"
            " : at.closest('nav') ? 'contents' : at.closest('thead') ? 'sort' : at.labels?.length ? at.labels[0].textContent : at.matches('.link') ? 'rule'"
            " : at.matches('.wide') ? 'table' : at.matches('.more') ? 'more' : at.closest('.card') ? 'card' : at.tagName",
            active,
        )
        reached.add(place)
        ring = page.script(
            "const style = getComputedStyle(arguments[0]); return style.outlineStyle + parseFloat(style.outlineWidth)",
            active,
        )
        assert place == "skip" or ring not in ("none0", "none"), f"the focus on {place} can't be seen"
        if place == "card":
            break
    wanted = {
        "skip",
        "theme",
        "contents",
        "table",
        "sort",
        "rule",
        "more",
        "Filter rules",
        "Rule",
        "Order",
        "Search",
        "card",
    }
    assert wanted <= reached


def test_the_keyboard_skips_sorts_and_shows_more(one: Report, page: Page) -> None:
    page.open(one.page)
    page.one("body").send_keys(Keys.TAB)
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.script("return document.activeElement.id") == "main"
    head = page.all("#rules thead th button")[3]
    head.send_keys(Keys.ENTER)
    assert page.script("return document.activeElement === arguments[0]", head), "the focus stays on the button"
    made = [number(row[3]) for row in rule_rows(page)]
    assert made == sorted(made, reverse=True)
    page.one("#structures .more").send_keys(Keys.SPACE)
    assert len(page.all(".card")) == 2 * CARDS_AT_ONCE
    assert page.script(
        "return document.activeElement.closest('li') === document.querySelectorAll('.cards > li')[arguments[0]]",
        CARDS_AT_ONCE,
    )


def test_paper_has_everything(either: Report, page: Page) -> None:
    page.open(either.page, theme="dark")
    drawn = sum(len(run["gallery"]) for run in embedded(page)["runs"])
    rules = len(rule_rows(page))
    page.media("print", theme="dark")
    page.wait("return document.querySelectorAll('.card').length === arguments[0]", drawn)
    assert page.shown(".card") == drawn
    assert len(rule_rows(page, shown=True)) == rules
    assert page.shown("button.theme, .more, nav") == 0
    assert page.script("return getComputedStyle(document.querySelector('.molecule')).filter") == "none"
    assert page.script("return [...document.querySelectorAll('details')].every((details) => details.open)")
    page.media("", theme="dark")
    page.wait("return document.querySelectorAll('.card').length < arguments[0]", drawn)
    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")


# ---- two runs ----


def test_two_runs_are_compared(molsieve: Path, two: Report, page: Page) -> None:
    page.open(two.page)
    difference = json.loads(call(molsieve, "diff", "--json", *two.runs))
    assert embedded(page)["difference"] == difference
    shown = page.script(
        "return Object.fromEntries([...document.querySelectorAll('#difference .facts > div')]"
        ".map((fact) => [fact.querySelector('dt').textContent, fact.querySelector('dd').textContent.split(' ')[0]]))"
    )
    counts = {"only in A": difference["a"]["only"], "in both": difference["both"], "only in B": difference["b"]["only"]}
    assert {label: number(count) for label, count in shown.items()} == counts
    rows = {row[0]: row[1:] for row in rule_rows(page)}
    for side, column in (("a", 0), ("b", 2)):
        for rule in difference[side]["by_rule"]:
            assert [number(cell) for cell in rows[rule["name"]][column : column + 2]] == [rule["only"], rule["rows"]]
    for run, column in enumerate((0, 2)):
        cells = page.script(
            "return [...document.querySelectorAll('#funnel tr.stage')]"
            ".map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))"
        )
        assert number(cells[-1][column]) == two.manifest(run)["counts"]["products_unique"]
    assert any("mw <= 400" in cell for cell in page.texts("#settings td")), "the setting that differs is shown"


def test_two_runs_have_a_gallery_each(two: Report, page: Page) -> None:
    page.open(two.page)
    for run, side in zip(embedded(page)["runs"], "ab"):
        assert all(structure["only"] == side for structure in run["gallery"])
        rows = page.script(
            f"return [...document.querySelectorAll('#only-{side} .card')].map((card) => Number(card.dataset.row))"
        )
        assert rows == [structure["row"] for structure in run["gallery"]][:CARDS_AT_ONCE]
        assert rows, "each run has products of its own"


# ---- other runs ----


def test_a_deduplicated_library_has_no_rules(molsieve: Path, page: Page, tmp_path: Path) -> None:
    call(molsieve, "dedup", *LIBRARY, "--output", tmp_path / "distinct", *BOUND)
    call(molsieve, "report", tmp_path / "distinct", "-o", tmp_path / "report.html")
    page.open(tmp_path / "report.html")
    assert page.console() == []
    assert not page.all("#rules") and page.all("#funnel") and page.all(".card")
    assert not page.all(".arrow"), "a molecule has no parent"
    assert page.axe() == []


def test_hostile_texts_are_only_texts(molsieve: Path, page: Page, tmp_path: Path) -> None:
    library = tmp_path / "library.csv"
    quoted = ['"' + text.replace('"', '""') + '"' for text in HOSTILE_IDS]
    smiles = ["Oc1ccccc1", "Oc1ccc(C)cc1", "CC(C)=CCc1c(O)cc(O", "Oc1ccc(F)cc1"]
    library.write_text("name,smiles\n" + "".join(f"{name},{text}\n" for name, text in zip(quoted, smiles)), encoding="utf-8")
    rules = tmp_path / "rules.toml"
    rules.write_text(f"[[rule]]\nname = '{HOSTILE_RULE}'\nsmirks = '[c:1][OX2H:2]>>[c:1][O:2]C'\n", encoding="utf-8")
    call(molsieve, "run", "--input", library, "--rules", rules, "--output", tmp_path / "hostile", *BOUND)
    call(molsieve, "report", tmp_path / "hostile", "-o", tmp_path / "report.html")
    page.open(tmp_path / "report.html")
    assert page.console() == [] and page.requests() == []
    assert len(page.all("script")) == 2 and not page.all("img")
    assert rule_rows(page)[0][0] == HOSTILE_RULE
    assert HOSTILE_RULE in page.texts(".card h3")
    assert any(HOSTILE_IDS[0] in text for text in page.texts(".card"))
    assert any(HOSTILE_IDS[2] in text for text in page.texts("#rejects"))


def test_the_repository_has_the_assets_small() -> None:
    assets = list((REPOSITORY / "src/page").glob("report*"))
    assert {asset.suffix for asset in assets} == {".html", ".css", ".js"}
    assert sum(asset.stat().st_size for asset in assets) < 150_000
