"""A package index as files: wheels with nothing in them but a name and a version."""

import hashlib
import zipfile
from pathlib import Path


def make_wheel(directory: Path, name: str, version: str, requires: str | None = None) -> Path:
    """Write a wheel that pip takes as it takes any other."""
    stem = f"{name.replace('-', '_')}-{version}"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    path = directory / f"{stem}-py3-none-any.whl"
    contents = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "".join(f"{stem}.dist-info/{member},,\n" for member in ("METADATA", "WHEEL")),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            archive.writestr(f"{stem}.dist-info/{member}", text)
    return path


def digest(path: Path) -> str:
    """Return a file's hash as requirements files and indexes write it, without `sha256`."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def publish(index: Path, name: str, wheels: list[Path]) -> None:
    """Offer these files as the releases of a package (the simple repository API, PEP 503)."""
    page = index / name / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    links = [
        f'<a href="{wheel.as_uri()}#sha256={digest(wheel)}">{wheel.name}</a>' for wheel in wheels
    ]
    page.write_text("\n".join(links))
