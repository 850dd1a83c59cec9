"""What MkDocs is told while it builds the site; mkdocs.yml names this file as a hook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from reference.links import ROOT_PAGES, for_site


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages of the repository's root."""
    root = Path(config.config_file_path).parent
    for source, place in ROOT_PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(root / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Mends the links of a page."""
    return for_site(markdown, page.file.src_uri)
