"""The files that pages load."""

from __future__ import annotations

import re
from pathlib import Path

from defer_cli.console.assets import Assets

STATIC = Path("defer_cli/console/static")
MOST_SCRIPT, MOST_STYLE = 30_000, 20_000


def test_scripts_and_styles_keep_to_their_size() -> None:
    assert sum(len(path.read_bytes()) for path in STATIC.glob("*.js")) <= MOST_SCRIPT
    assert sum(len(path.read_bytes()) for path in STATIC.glob("*.css")) <= MOST_STYLE


def test_a_name_changes_with_the_file_and_with_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\n')
    (tmp_path / "b.js").write_text("export const b = 1;\n")
    before = Assets(tmp_path).names
    (tmp_path / "b.js").write_text("export const b = 2;\n")
    after = Assets(tmp_path).names
    assert before["a.js"] != after["a.js"]
    assert before["b.js"] != after["b.js"]


def test_every_import_of_a_script_is_served() -> None:
    assets = Assets()
    served = {name.rpartition("/")[2]: content.decode() for name, (content, _) in assets._contents.items()}
    imports = {found for text in served.values() for found in re.findall(r'from "\./([^"]+)"', text)}
    assert imports
    assert imports <= set(served)
