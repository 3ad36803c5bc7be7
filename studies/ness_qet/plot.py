"""Figures of data/*.json, nothing computed."""
from pathlib import Path


def draw(folder: Path) -> None:
    """Later."""
