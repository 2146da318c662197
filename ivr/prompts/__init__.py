"""What the hotline says: the catalogue of prompts, and the tools that make their audio ahead of time."""

from .catalogue import CatalogueError, Prompt, load_catalogue
from .install import Installed, install_prompts

__all__ = ["CatalogueError", "Installed", "Prompt", "install_prompts", "load_catalogue"]
