"""Names the packages: `llmitm` and below, plus the top-level `addons/` as `llmitm.addons`.

Everything else about the project is in pyproject.toml, which can't list found and mapped
packages together.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["llmitm", "llmitm.*"]), "llmitm.addons"],
    package_dir={"llmitm.addons": "addons"},
)
