"""The report of a comparison: Markdown, plots and a page, from its results.jsonl, whether complete or not."""

from nanorpc.compare.report.write import write

__all__ = ["write"]
