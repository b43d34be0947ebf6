"""The sections of a document sorted by the part of the form they are; sections of no part are kept whole."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.markdown_import.document import Section, text_of
from esper_audit.markdown_import.headings import Name, Part, name_of
from esper_audit.markdown_import.misplaced import brought_out
from esper_audit.markdown_import.values import one_line, says_nothing
from esper_audit.ticket_parts import AsWritten, Extra


class Parts:
    """What each part of the form is read from.

    A part is the sections under the form's own heading. Where none of these says anything, the first
    section under another name for it is the part, and its heading is kept in words.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        self.reviews: list[Section] = []
        self.notes: list[Section] = []
        self.extra: list[Extra] = []
        self.as_written: list[AsWritten] = []
        self._chosen: dict[Part, list[Section]] = {}
        named = [(section, name_of(section.title)) for section in brought_out(sections)]
        for part in Part:
            self._choose(part, [(s, name) for s, name in named if name and name.part is part])
        taken = [section for chosen in self._chosen.values() for section in chosen]
        for section, name in named:
            if name is not None and name.part is Part.REVIEW and section.nodes:
                self.reviews.append(section)
            elif not any(section is other for other in taken):
                self._keep(section, name)

    def of(self, part: Part) -> list[Section]:
        """Return the sections of a part."""
        return self._chosen.get(part, [])

    def _choose(self, part: Part, candidates: Sequence[tuple[Section, Name]]) -> None:
        if part is Part.REVIEW:
            return
        own = [section for section, name in candidates if name.own]
        others = [(section, name) for section, name in candidates if not name.own]
        if any(_says_something(section) for section in own):
            self._chosen[part] = own
            return
        self._chosen[part] = own
        for section, _ in others:
            if _says_something(section):
                self._chosen[part] = [*own, section]
                self.as_written.append(_heading(part.name.lower(), section.title))
                return

    def _keep(self, section: Section, name: Name | None) -> None:
        if name is not None and name.part is Part.RESOLUTION:
            self.notes.append(section)
        text = text_of(section.nodes)
        if text:
            self.extra.append(Extra(section=section.title, text=text))
        else:
            self.as_written.append(_heading("section", section.title))


def _says_something(section: Section) -> bool:
    return not says_nothing(text_of(section.nodes))


def _heading(field: str, title: str) -> AsWritten:
    return AsWritten(field=field, where="heading", words=one_line(title))
