"""What a requirements file comes to on one Python, in the lock file's versions."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
_PACKAGES = tomllib.loads((ROOT / "poetry.lock").read_text())["package"]
VERSIONS = {canonicalize_name(package["name"]): package["version"] for package in _PACKAGES}
"""Every locked package's version, whatever it is needed for."""
# Prints, in some environment, what `differences` compares.
FACTS = (
    "import json, platform; from importlib.metadata import distributions as all;"
    "print(json.dumps([platform.python_version(), {d.name: d.version for d in all()}]))"
)


def differences(part, python_version, installed, apart_from):
    """Return the packages that are missing, not locked for this part, or in another version."""
    lines = (ROOT / "requirements" / f"{part}.txt").read_text().splitlines()
    wanted = [Requirement(line.rstrip(" \\")) for line in lines if "==" in line]
    here = {
        "python_full_version": python_version,
        "python_version": python_version.rpartition(".")[0],
    }
    meant = [r for r in wanted if not r.marker or r.marker.evaluate(here)]
    # not by VERSIONS: some packages are locked in another version for another Python
    expected = {(canonicalize_name(r.name), one.version) for r in meant for one in r.specifier}
    found = {(canonicalize_name(name), version) for name, version in installed.items()}
    return {name for name, _ in expected ^ found} - apart_from
