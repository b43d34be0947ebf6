"""Reading tickets that people wrote in Markdown: a document model, a reader a section, and the proof that nothing is lost."""
