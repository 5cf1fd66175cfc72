"""Packages of others, as an installer would put them into a folder."""

import tomllib
from pathlib import Path


def install(package: Path, site: Path, name: str | None = None) -> None:
    """Put ``package`` into the folder ``site`` with the metadata an installer makes of it."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    for module in package.glob("*.py"):
        (site / module.name).write_text(module.read_text())
    name = name or project["name"]
    info = site / f"{name.replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
