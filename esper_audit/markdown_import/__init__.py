"""Reading tickets that people wrote in Markdown: a document model, a reader a section, a proof of nothing lost."""
