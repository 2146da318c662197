"""`python -m ivr.prompts` makes the audio that changed; names of prompts make just those anew."""

from __future__ import annotations

import sys
from pathlib import Path

from .catalogue import CatalogueError, load_catalogue
from .music import build_music, music_is_current
from .tools import ToolsMissing

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def main(names: list[str]) -> int:
    prompts_dir = PROJECT_ROOT / "prompts"
    try:
        from .build import build

        catalogue = load_catalogue(prompts_dir / "catalogue.toml")
        if unknown := set(names) - catalogue.keys():
            raise CatalogueError(f"没有这样的提示音 · no such prompt: {', '.join(sorted(unknown))}")
        made = build(catalogue, prompts_dir, PROJECT_ROOT / "build" / "kokoro", only=names or None)
        if not music_is_current(prompts_dir):
            print("合成等待音乐 · composing the music on hold")
            build_music(prompts_dir)
    except (CatalogueError, ToolsMissing) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"生成 {len(made)} 条 · made {len(made)} prompts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
