"""The dialect of JSON Schema in which this project describes its records."""

from __future__ import annotations

DIALECT = "https://json-schema.org/draft/2020-12/schema"
