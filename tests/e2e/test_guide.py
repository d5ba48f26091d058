"""deploy/README.md against the tree: words that it says programs print, they print; files that it names are there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "deploy/README.md").read_text()
ALERTS = (ROOT / "deploy/prometheus/alerts.yaml").read_text()
TROUBLESHOOTING = GUIDE.partition("\n## Troubleshooting\n")[2].partition("\n## ")[0]
# In the troubleshooting but not printed by our programs.
OF_OTHERS = {"code", "ContainerCreating", "Connection refused"}


def symptoms():
    rows = re.findall(r"^\| (.+?) \| .+ \|$", TROUBLESHOOTING, re.MULTILINE)
    return sorted({words for row in rows for words in re.findall(r"`([^`]+)`", row)} - OF_OTHERS)


@pytest.fixture(scope="module")
def literals():
    """All string literals of the programs, those of several lines put together, and our alerts."""
    sources = [path.read_text() for folder in ("agent", "common", "controller")
               for path in (ROOT / folder).rglob("*.cc")]
    return "\n".join(re.sub(r'"\s*\n\s*"', "", text).replace(r"\"", '"') for text in [*sources, ALERTS])


@pytest.mark.parametrize("words", symptoms())
def test_what_the_guide_quotes_is_printed(literals, words):
    assert words in literals


def test_every_alert_is_in_the_troubleshooting():
    assert [name for name in re.findall(r"alert: (\w+)", ALERTS) if f"`{name}`" not in TROUBLESHOOTING] == []


def test_every_file_that_the_guide_links_to_is_there():
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", GUIDE)
    assert len(links) > 8
    assert [link for link in links if not link.startswith("https://") and not (ROOT / "deploy" / link).exists()] == []


def test_every_overlay_and_component_is_in_the_guide():
    folders = [f"{kind}/{path.name}" for kind in ("overlays", "components")
               for path in (ROOT / "deploy/kubernetes" / kind).iterdir() if path.is_dir()]
    assert [folder for folder in folders if folder.partition("/")[2] not in GUIDE] == []
    assert [name for name in re.findall(r"`((?:overlays|components)/[\w-]+)`", GUIDE) if name not in folders] == []


def test_every_section_that_the_guide_points_to_is_there():
    headings = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")
                for text in re.findall(r"^##+ (.+)$", GUIDE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) - headings == set()
