"""The package: its contents page, its floors, and what it says without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import esper_ref

ROOT = Path(esper_ref.__file__).parent

PUBLIC = [
    "SeedStage",
    "VALID_TRANSITIONS",
    "SeedState",
    "SeedMetrics",
    "SeedSlot",
    "MorphogeneticModel",
    "HostProtocol",
    "CNNHost",
    "TransformerHost",
    "InjectionSpec",
    "BlueprintRegistry",
    "BlueprintSpec",
    "AlphaController",
    "AlphaCurve",
    "AlphaMode",
    "AlphaAlgorithm",
    "blend_add",
    "blend_multiply",
    "multiply_valve_multiplier",
    "blend_gate",
    "gate_effective_alpha",
    "GatedBlend",
    "GateStatistics",
    "ste_forward",
    "blend_with_isolation",
    "IsolationPolicy",
    "GradientHealthMonitor",
    "gradient_ratio",
    "GradientRatioNormalization",
    "BiasCorrectedEMA",
    "QualityGates",
    "GateLevel",
    "GateResult",
    "GateThresholds",
    "Counterfactual",
    "counterfactual_contribution",
    "force_alpha",
    "sync_gate_decision",
    "Telemetry",
]


def floors() -> list[set[str]]:
    """The floors that the contents page promises, lowest first."""
    lines = (esper_ref.__doc__ or "").splitlines()
    return [set(line.strip().split(", ")) for line in lines if line.startswith("    ")]


def imports(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("esper_ref."):
            modules.add((node.module or "").split(".")[1])
    return modules


def test_every_public_name_is_on_the_contents_page() -> None:
    assert set(PUBLIC) <= set(esper_ref.__all__)
    assert all(name in vars(esper_ref) for name in esper_ref.__all__)


def files() -> list[Path]:
    """Return the files of the package."""
    found = sorted(ROOT.rglob("*.py"))
    assert len(found) > 40, f"{ROOT}: {len(found)} files"
    return found


def test_a_file_imports_only_from_the_floors_below_it() -> None:
    order = floors()
    height = {name: i for i, floor in enumerate(order) for name in floor}
    names = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in files()}
    assert names - {"__init__", "__main__"} <= set(height), "a file without a floor"
    for path in files():
        name = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if name in ("__init__", "__main__"):
            continue
        above = {m for m in imports(path) if m != name and height[m] >= height[name]}
        assert not above, f"{path.name} imports {above} from its own floor or above"


def test_the_library_does_not_know_its_auditor() -> None:
    for path in files():
        assert "esper_audit" not in path.read_text(), path


def test_without_torch_the_library_says_what_to_install() -> None:
    script = "import sys; sys.modules['torch'] = None; import esper_ref"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    last = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert last.endswith(
        "MissingTorchError: esper_ref needs PyTorch; install it with: "
        "pip install 'esper-audit[torch]'"
    )
