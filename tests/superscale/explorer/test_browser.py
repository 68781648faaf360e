"""The explorer in a browser without network: its numbers are Python's, its settings go by link."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

import superscale as ss
from superscale.commands.app import run
from superscale.explorer import page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
if not (BROWSER and DRIVER):
    pytest.skip(
        "no chromium and chromedriver: on Debian, apt-get install chromium chromium-driver",
        allow_module_level=True,
    )
webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install .[test]")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1200,1400",
)  # fmt: skip
URL = Path(page.__file__).with_name(page.PAGE).as_uri()
TABLE = json.loads(page.read_part("table.json"))
CLOSED = ("weak", "equiangular", "hard_wall", "strong_even", "strong_skewed")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def explorer(browser):
    """Return a function that opens the page anew with settings as in a link."""

    def open_with(settings=""):
        browser.get("about:blank")
        browser.get(f"{URL}#{settings}" if settings else URL)
        return browser

    return open_with


def element(browser, name):
    return browser.find_element(By.ID, name)


def frequencies(setting):
    law, n, E = setting["law"], setting["n"], setting["density"]
    if law == "linear":
        return ss.Frequencies.linear(n, E)
    make = ss.Frequencies.power_law if law == "power_law" else ss.Frequencies.exponential
    return make(n, setting["parameter"], E)


def draw(rng, law, box):
    """Return a random setting and width: uniform in logarithms, alpha uniformly."""

    def between(low, high):
        return float(low * (high / low) ** rng.random())

    n = round(between(*box["n"]))
    low, high = box["shape"] or (0, 0)
    parameter = {
        "power_law": lambda: low + (high - low) * rng.random(),
        "exponential": lambda: n / between(low, high),
        "linear": lambda: 0,
    }[law]()
    setting = {"law": law, "parameter": parameter, "n": n, "density": 1e-3}
    most = box["largest_p"] * 1e-3 / frequencies(setting).largest
    setting["density"] = between(box["density"][0], min(box["density"][1], most))
    narrow = max(box["least_m"], box["m_over_root_n"] * np.sqrt(n))
    wide = n / box["n_over_m"]
    if law == "exponential":
        wide = min(wide, box["m_over_scale"] * parameter)
    return setting, int(np.clip(round(between(narrow, wide)), np.ceil(narrow), np.floor(wide)))


def evaluate(browser, settings):
    script = "return arguments[0].map(([setting, m]) => evaluate(setting, m))"
    return browser.execute_script(script, settings)


def number(value):
    return np.nan if value is None else value


PAGE = {
    "n": (100, 100_000), "shape": None, "density": (0.03, 8.0), "largest_p": 1.0, "least_m": 4,
    "m_over_root_n": 0.1, "n_over_m": 2.5, "m_over_scale": 4.0,
}  # fmt: skip
SHAPES = {"power_law": (0.0, 2.5), "exponential": (1.0, 40.0), "linear": None}


def closed_settings(law, count=40):
    rng = np.random.default_rng(5)
    settings = [draw(rng, law, PAGE | {"shape": SHAPES[law]}) for _ in range(count)]
    if law == "power_law":
        for place, alpha in enumerate((0.0, 1.0, 0.5)):
            settings[place][0]["parameter"] = alpha
            settings[place][0]["density"] = 0.5
    return settings


@pytest.mark.parametrize("law", SHAPES)
def test_closed_forms_are_those_of_the_package(explorer, law):
    settings = closed_settings(law)
    found = evaluate(explorer(), settings)
    compared = 0
    for (setting, m), here in zip(settings, found, strict=True):
        shown = frequencies(setting)
        names = [name for name in CLOSED if name != "strong_skewed" or setting["parameter"] > 1]
        names = [name for name in names if name != "strong_skewed" or law == "power_law"]
        expected = ss.predict(shown, m, theory=names)
        for name in names:
            for quantity in ("loss", "exponent"):
                value = number(here[name][quantity])
                right = getattr(expected[name], quantity)
                assert value == pytest.approx(right, rel=1e-6, nan_ok=True), (name, setting, m)
                compared += np.isfinite(right)
        assert set(CLOSED) - set(names) <= {"strong_skewed"}
    assert compared > 5 * len(settings)


def check_mean_field(browser, law, count, seed):
    """Compare the page with the solver at random settings in the ranges of the table."""
    rng = np.random.default_rng(seed)
    settings = [draw(rng, law, TABLE["laws"][law]["box"]) for _ in range(count)]
    for (setting, m), here in zip(settings, evaluate(browser, settings), strict=True):
        solved = ss.solve_mean_field(frequencies(setting), m)
        assert here["mean_field"]["loss"] == pytest.approx(solved.loss, rel=0.01), (setting, m)
        assert here["mean_field"]["exponent"] == pytest.approx(solved.exponent, abs=0.1)


@pytest.mark.parametrize(("law", "count"), [("power_law", 1), ("exponential", 1), ("linear", 1)])
def test_mean_field_is_within_a_per_cent_of_the_solver(explorer, law, count):
    check_mean_field(explorer(), law, count, seed=11)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "count"), [("power_law", 120), ("exponential", 50), ("linear", 30)]
)
def test_mean_field_at_200_random_settings(explorer, law, count):
    check_mean_field(explorer(), law, count, seed=12)


def test_no_mean_field_beyond_the_table(explorer):
    inside = {"law": "power_law", "parameter": 1, "n": 1000, "density": 1}
    outside = [inside | {"n": 5000}, inside | {"parameter": 2.2}, inside | {"density": 6}]
    found = evaluate(explorer(), [(inside, 25), *((one, 40) for one in outside), (inside, 400)])
    assert [number(one["mean_field"]["loss"]) > 0 for one in found] == [True] + [False] * 4


def shown_numbers(browser):
    """Return loss and exponent of each theory in the table of the page."""
    rows = browser.find_elements(By.CSS_SELECTOR, "#theories tbody tr")
    return {
        row.get_attribute("data-name"): [one.text for one in row.find_elements(By.TAG_NAME, "td")][
            :2
        ]
        for row in rows
    }


def test_the_table_shows_what_is_evaluated(explorer):
    browser = explorer("law=power_law&alpha=1.5&n=1000&density=0.8&m=40")
    setting = {"law": "power_law", "parameter": 1.5, "n": 1000, "density": 0.8}
    found = evaluate(browser, [(setting, 40)])[0]
    shown = shown_numbers(browser)
    assert list(shown) == ["mean_field", *CLOSED]
    for name in ("mean_field", "weak", "hard_wall"):
        assert float(shown[name][0]) == pytest.approx(found[name]["loss"], rel=1e-3)
        assert float(shown[name][1]) == pytest.approx(found[name]["exponent"], abs=0.006)
    assert shown["strong_skewed"] == ["–", "1.00"]


LINKS = (
    "law=power_law&alpha=0.625&n=1200&density=2.5&m=31&show=mean_field,weak",
    "law=exponential&scale=150&n=900&density=0.8&m=20&show=weak,hard_wall,strong_even",
    "law=linear&n=5000&density=1&m=100&show=mean_field,equiangular",
)


@pytest.mark.parametrize("link", LINKS)
def test_a_link_restores_the_settings(explorer, link):
    browser = explorer(link)
    assert browser.current_url == f"{URL}#{link}"
    for key, value in re.findall(r"(alpha|scale|n|density|m)=([\d.]+)", link):
        assert float(element(browser, key).get_attribute("value")) == float(value)
    boxes = browser.find_elements(By.CSS_SELECTOR, "#theories input:checked")
    assert {box.get_attribute("data-theory") for box in boxes} == set(
        link.split("show=")[1].split(",")
    )
    before = shown_numbers(browser)
    explorer("law=power_law&alpha=2&n=500&density=0.3&m=50")
    assert shown_numbers(browser) != before
    browser.execute_script("location.hash = arguments[0]", link)
    WebDriverWait(browser, 10).until(lambda _: shown_numbers(browser) == before)


@pytest.mark.parametrize(
    "link", ["law=cubic&alpha=x&n=&m=-5", "alpha=99&n=1e12&density=1e9&m=1e9", "%"]
)
def test_a_link_with_bad_values_is_held_to_what_is_allowed(explorer, link):
    browser = explorer(link)
    for key in ("alpha", "n", "density", "m"):
        one = element(browser, key)
        value, low, high = (float(one.get_attribute(name)) for name in ("value", "min", "max"))
        assert low <= value * 1.00001 and value <= high * 1.00001
    assert float(shown_numbers(browser)["weak"][0]) > 0


def test_keys_are_enough(explorer):
    browser = explorer("law=power_law&alpha=1&n=1000&density=1&m=25")
    slider = element(browser, "m-slider")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert float(element(browser, "m").get_attribute("value")) == 27
    browser.find_element(By.CSS_SELECTOR, "input[value=power_law]").send_keys(Keys.ARROW_RIGHT)
    assert "law=exponential" in browser.current_url and element(browser, "scale").is_displayed()
    box = browser.find_element(By.CSS_SELECTOR, "[data-theory=weak]")
    box.send_keys(Keys.SPACE)
    assert "weak" not in browser.current_url.split("show=")[1]
    assert browser.switch_to.active_element.get_attribute("data-theory") == "weak"
    density = element(browser, "density")
    density.send_keys(Keys.CONTROL + "a")
    density.send_keys("0.5", Keys.ENTER)
    assert "density=0.5" in browser.current_url
    # Everything that can be used is reached by Tab, in the order of the page.
    browser.execute_script("document.activeElement.blur()")
    reached = []
    for _ in range(40):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        active = browser.switch_to.active_element
        name = active.get_attribute("id") or active.get_attribute("data-copy")
        reached.append(name or active.get_attribute("data-theory") or active.tag_name)
    for name in (
        "theme",
        "scale-slider",
        "n",
        "m-slider",
        "preset",
        "mean_field",
        "python",
        "link",
        "summary",
    ):
        assert name in reached


def test_trained_models_are_drawn_at_their_settings_only(explorer):
    count = "return document.querySelectorAll('#loss .mark').length"
    browser = explorer("law=power_law&alpha=1&n=1000&density=1&m=25")
    assert browser.execute_script(count) == 24
    assert "Figure 7b" in element(browser, "marks").text
    browser = explorer("law=power_law&alpha=1.01&n=1000&density=1&m=25")
    assert browser.execute_script(count) == 0 and element(browser, "marks").text == ""
    option = browser.find_element(By.CSS_SELECTOR, "#preset option:nth-child(2)")
    option.click()
    assert browser.execute_script(count) > 0


def test_what_is_copied_runs(explorer, capsys):
    browser = explorer(
        "law=exponential&scale=150&n=900&density=0.8&m=20&show=weak,equiangular,strong_even"
    )
    code = element(browser, "python").text
    space = {}
    exec(code, space)
    shown = shown_numbers(browser)
    assert space["prediction"].loss["weak"] == pytest.approx(float(shown["weak"][0]), rel=1e-3)
    words = shlex.split(element(browser, "shell").text)
    capsys.readouterr()
    assert words[0] == "superscale" and run([*words[1:], "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert row["m"] == 20 and row["predicted"]["weak"] == space["prediction"].loss["weak"]


@pytest.mark.parametrize("width", [380, 768, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_screen(explorer, width, scheme):
    browser = explorer()
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        browser.refresh()
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        color = "return getComputedStyle(document.body).backgroundColor"
        red = int(re.search(r"\d+", browser.execute_script(color)).group())
        assert (red < 64) == (scheme == "dark")
        labels = browser.execute_script(OVERLAPS)
        assert not labels
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


# Pairs of tick labels of one chart whose boxes overlap.
OVERLAPS = """
return [...document.querySelectorAll("figure svg")].flatMap((svg) => {
  const labels = [...svg.querySelectorAll("text")];
  const boxes = labels.map((text) => [text, text.getBoundingClientRect()]);
  return boxes.flatMap(([text, a], k) => boxes.slice(k + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => `${text.textContent} | ${other.textContent}`));
});
"""


def test_nothing_is_requested_and_nothing_goes_wrong(explorer):
    browser = explorer()
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    explorer(LINKS[0])
    browser.find_element(By.CSS_SELECTOR, "[data-copy=link]").click()
    requested = [
        message["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert any(url.startswith("file:") for url in requested)
    assert [url for url in requested if not url.startswith(("file:", "data:", "about:"))] == []
    assert browser.get_log("browser") == []
    browser.execute_script("setTimeout(() => { throw new Error('seen'); })")
    WebDriverWait(browser, 10).until(
        lambda _: any("seen" in entry["message"] for entry in browser.get_log("browser"))
    )
