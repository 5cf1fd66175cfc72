"""The score on staves: MusicXML that a notation program shows as a musician would write it.

Times are counted in steps, twelve to a quarter note, which hold sixteenths and triplets. The
format is MusicXML 4.0, partwise and without a date, so the same music gives the same bytes.
"""

from emsync.formats.musicxml.score import write_musicxml, write_parts

__all__ = ["write_musicxml", "write_parts"]
