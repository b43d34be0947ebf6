"""The options of `check`, in the order of its help."""

from __future__ import annotations

from esper_audit.cli.declared_option import CONFIG, NO_CACHE, SHARD, DeclaredOption, flag, ids
from esper_audit.cli.output_options import OUTPUT

CHECK = (
    ids("select", "Run only these checks ('all' for all)."),
    ids("ignore", "Do not run these checks."),
    *OUTPUT,
    DeclaredOption("since", ("--since",), "Report only findings new since REV.", metavar="REV"),
    DeclaredOption(
        "stdin_filename",
        ("--stdin-filename",),
        "Read the source from stdin as the content of PATH.",
        metavar="PATH",
    ),
    flag("fix", "--fix", explained="Apply the safe fixes."),
    flag("interactive", "--interactive", "-i", explained="Ask before each fix (implies --fix)."),
    flag("unsafe_fixes", "--unsafe-fixes", explained="Also apply fixes that change behaviour."),
    flag("only_diff", "--diff", explained="Print the fixes as a diff and change no file."),
    flag("impact", "--impact", explained="Report which calls in the project meet each finding."),
    flag(
        "whole",
        "--whole-tree",
        explained="Also run the rules that read the whole tree, as `run` does.",
    ),
    DeclaredOption(
        "jobs",
        ("--jobs",),
        "Number of processes (0 = automatic).",
        default=0,
        metavar="N",
        least=0,
    ),
    flag("timing", "--timing", explained="Report what each rule cost (implies --no-cache)."),
    flag(
        "no_prefilter",
        "--no-prefilter",
        explained="Run every rule on every node of its types (slow; same findings).",
    ),
    SHARD,
    NO_CACHE,
    CONFIG,
)
