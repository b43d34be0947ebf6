"""`esper-audit server`: the language server for editors."""

from __future__ import annotations

import importlib.util

import click

from esper_audit.cli.local_date import today
from esper_audit.findings.errors import UsageError


@click.command("server", short_help="Start the language server for an editor.")
@click.option("--stdio", is_flag=True, help="Accepted, as many editors add it.")
@click.option("--trust-workspace", is_flag=True, help="Run the local rules of the workspace.")
def command(*, stdio: bool, trust_workspace: bool) -> None:
    """Serve an editor over standard input and output, by the Language Server Protocol.

    Findings of the text as it is typed, an explanation on hover, fixes and authorisations as code
    actions. The rules that a workspace brings itself (`local-rules`) are Python code, and run only
    where the workspace is trusted.
    """
    if importlib.util.find_spec("pygls") is None:
        raise UsageError(
            "the language server needs pygls, which is not installed. "
            "Install it with: pip install 'esper-audit[server]'"
        )
    from esper_audit.server.language_server import serve

    serve(today, trusted=trust_workspace)
