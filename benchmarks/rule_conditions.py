"""Drop each condition of the shipped rules in turn, and count those that no case of the rule needs.

    python benchmarks/rule_conditions.py [WORD]

WORD selects the rules whose module contains it.
"""

from __future__ import annotations

import os
import sys

from esper_audit.project.submodules import PACKAGE
from esper_audit.rules.rule_modules import FILE_RULES, import_rule, rule_modules
from esper_audit.workflow.project_rules.dropped_conditions import dropped_conditions


def main() -> None:
    """Print the conditions that no case needs, rule by rule, and their number."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    total = idle = 0
    for module in (name for name in rule_modules(FILE_RULES) if word in name):
        path = os.path.join(os.path.dirname(PACKAGE), *module.split(".")) + ".py"
        import_rule(module)
        conditions = dropped_conditions(path, module)
        without = [one for one in conditions if not one.is_needed]
        total, idle = total + len(conditions), idle + len(without)
        print(f"{module.rpartition('.')[2]}: {len(without)} of {len(conditions)}")
        for one in without:
            print(f"  line {one.line}: {one.code}")
    print(f"{total} conditions, {idle} that no case needs")


if __name__ == "__main__":
    main()
