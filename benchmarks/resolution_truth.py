"""How often the index resolves a use right: drawn at random from two packages, labelled by reading, scored here.

    python benchmarks/resolution_truth.py UNPACKED_PACKAGES_DIRECTORY

The directory holds the unpacked wheels that `resolution_truth.tsv` names (package and version), each in a
directory of its own: `stable_baselines3/stable_baselines3/...`. A label is what a person who reads the
code finds that the name refers to: `path:Class.method` in the package, several joined by `|` where
several can be meant, `outside` for other packages and the language, `dynamic` where it depends on
what a caller hands in. `--draw PACKAGE` draws sites afresh, for other packages.
"""

from __future__ import annotations

import argparse
import ast
import csv
import random
from collections import Counter
from pathlib import Path

from esper_audit.project.config import Project
from esper_audit.project.config_tables import Config
from esper_audit.source.facts.records import Use
from esper_audit.source.index.index import Index, open_index
from esper_audit.source.index.targets import Targets

LABELS = Path(__file__).with_suffix(".tsv")
SEED = 20261121
A_PACKAGE = 80
A_PACKAGE_OF_ITS_OWN = 40


def sites(root: Path) -> list[tuple[str, int, int, str]]:
    """Return every call of a name or attribute and every other attribute read: path, line, column, name."""
    found = []
    for file in sorted(root.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            is_name = isinstance(node, ast.Name) and id(node) in called
            is_read = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
            if is_name and isinstance(node, ast.Name):
                found.append(
                    (str(file.relative_to(root)), node.lineno, node.col_offset + 1, node.id)
                )
            elif is_read:
                column = node.end_col_offset - len(node.attr) + 1
                found.append((str(file.relative_to(root)), node.end_lineno, column, node.attr))
    return found


def draw(root: Path) -> None:
    """Print sites to label: of all, and further ones of those whose name the package defines somewhere."""
    everything = sites(root)
    chosen = sorted(random.Random(SEED).sample(everything, A_PACKAGE))
    defined = {
        node.name
        for file in root.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    own = [site for site in everything if site[3] in defined and site not in chosen]
    for site in chosen:
        print("all", *site, sep="\t")
    for site in sorted(random.Random(SEED).sample(own, A_PACKAGE_OF_ITS_OWN)):
        print("own", *site, sep="\t")


def verdict(index: Index, site: dict[str, str]) -> str:
    """Return right, wrong, by name or missed for one labelled site."""
    targets = told(index, site)
    meant = set(site["label"].split("|"))
    if targets is None:
        return "right" if meant <= {"outside", "dynamic"} else "missed"
    keys = {key.partition("/")[2] for key in targets.keys}
    if keys:
        return (
            "right"
            if keys & meant and keys <= meant | overrides(index, site["package"], meant)
            else "wrong"
        )
    if targets.open:
        return "by name"
    return "right" if meant <= {"outside", "dynamic"} else "wrong"


def overrides(index: Index, package: str, meant: set[str]) -> set[str]:
    """Return what may stand beside a label: overrides in subclasses, and the constructor of a class."""
    hierarchy = index.resolver.hierarchy
    allowed: set[str] = set()
    for label in meant:
        owner, _, name = label.rpartition(".")
        classes = {s.key for s in index.symbols(f"{package}/{label}") if s.kind == "class"}
        made = {hierarchy.constructor(key) or "" for key in classes}
        around = [s.key for s in index.symbols(f"{package}/{owner}") if s.kind == "class"]
        below = {f"{sub}.{name}" for key in around for sub in hierarchy.subclasses(key)}
        allowed |= {key.partition("/")[2] for key in made | below}
    return allowed


def told(index: Index, site: dict[str, str]) -> Targets | None:
    """Return what the index says of a site; None if it has no mention there (a local variable, a builtin)."""
    unit = index.store.module(f"{site['package']}/{site['path']}")
    assert unit is not None, site
    place = (int(site["line"]), int(site["column"]))
    uses = (Use.CALL, Use.READ, Use.DECORATOR, Use.BASE, Use.ANNOTATION)
    here = [m for m in unit.facts.mentions if (m.line, m.column) == place and m.use in uses]
    return index.aim.targets(unit, here[0]) if here else None


def score(directory: Path) -> None:
    """Print the share of each verdict, by package, and over what the package itself defines."""
    with open(LABELS, encoding="utf-8") as file:
        labelled = list(csv.DictReader(file, delimiter="\t"))
    indexes = {}
    counts: dict[str, Counter[str]] = {}
    for site in labelled:
        package = site["package"]
        if package not in indexes:
            root = str(directory / package)
            indexes[package] = open_index(Project(root, Config()), cache=False)
        said = verdict(indexes[package], site)
        inside = "its own definitions" if ":" in site["label"] else "outside or dynamic"
        sample = f"sample of {site['sample']} names"
        for group in (package, inside, sample, "together"):
            counts.setdefault(group, Counter())[said] += 1
        if said != "right":
            print(
                f"{said:8} {package} {site['path']}:{site['line']} {site['name']} = {site['label']}"
            )
    for group, counter in counts.items():
        total = sum(counter.values())
        shares = ", ".join(f"{k} {n} ({n / total:.0%})" for k, n in counter.most_common())
        print(f"{group}: {total}: {shares}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--draw", metavar="PACKAGE")
    options = parser.parse_args()
    if options.draw:
        draw(options.directory / options.draw / options.draw)
    else:
        score(options.directory)


if __name__ == "__main__":
    main()
