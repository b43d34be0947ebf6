"""The language server: findings in an editor while the user types.

Public: `language_server`, which starts it. The protocol is in `language_server` alone with pygls; what is
sent comes from `document_check`, `diagnostics`, `explanation` and `code_actions`.
"""
