"""Build the documentation site into site/, in English and, in site/fr, in French.

    python tools/build_site.py

The French site has every page of the English one: in French where docs/fr has it, otherwise (the
reference) as it is. So each site is whole, with its own navigation and search, and the switch of
languages leads to the same page. A broken link is an error.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

ROOT = Path(__file__).parents[1]
DOCS, SITE, BUILD = ROOT / "docs", ROOT / "site", ROOT / "build" / "docs"
FRENCH = DOCS / "fr"

_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)\s#]+")
_TOGGLES = ("Passer au mode clair", "Passer au mode sombre", "Suivre le système")


def main() -> None:
    shutil.rmtree(SITE, ignore_errors=True)
    _build(ROOT / "zensical.toml")
    gather_french(BUILD / "fr")
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    config = BUILD / "zensical.toml"
    config.write_text(tomli_w.dumps(_in_french(settings)), encoding="utf-8")
    _build(config)
    shutil.copytree(BUILD / "site", SITE / "fr")
    print(f"The site: {SITE / 'index.html'} and {SITE / 'fr' / 'index.html'}")


def _build(config: Path) -> None:
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    if subprocess.run([*command, "--config-file", config], cwd=ROOT).returncode:
        sys.exit(1)


def gather_french(folder: Path) -> None:
    """Fill a folder with all pages, the French ones in place of the English ones.

    A French page lies one folder deeper in the sources than here, so its links to pictures and to
    pages that are English only become shorter.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns("fr"))
    shutil.copy(FRENCH / ".nav.yml", folder)
    for page in FRENCH.rglob("*.md"):
        (folder / page.relative_to(FRENCH)).write_text(_moved(page), encoding="utf-8")


def _moved(page: Path) -> str:
    """The text of a French page, its links as they are once it lies among the others."""

    def follow(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(page.parent / link[0]))
        if target.is_relative_to(FRENCH) or not target.is_relative_to(DOCS):
            return link[0]
        return Path(os.path.relpath(target, DOCS / page.parent.relative_to(FRENCH))).as_posix()

    return _LINK.sub(follow, page.read_text(encoding="utf-8"))


def _in_french(settings: dict[str, Any]) -> dict[str, Any]:
    project = settings["project"]
    project |= {
        "site_description": "Des images étiquetées à un classifieur dont on se sert",
        "docs_dir": "fr",
        "site_dir": "site",
    }
    project["theme"] |= {"language": "fr", "custom_dir": "../../tools/site"}
    for palette, name in zip(project["theme"]["palette"], _TOGGLES, strict=True):
        palette["toggle"]["name"] = name
    english, french = project["extra"]["alternate"]
    english["link"], french["link"] = "../", ""
    project["plugins"]["mkdocstrings"]["handlers"]["python"]["paths"] = ["../../src"]
    return settings


if __name__ == "__main__":
    main()
