"""What a JPEG file says about its photo and its owner, taken out without touching the pixels.

Cameras and phones write the place, the date, the owner's name and a thumbnail of the photo before
it was cropped; editors add their history, and some phones a film behind the end. None of it is
needed to train, so none of it travels into labels. Nothing is decoded, so the pixels stay the same.

Source: ITU-T T.81 (JPEG), annex B; JFIF 1.02.
"""

import re

_START, _END = b"\xff\xd8", b"\xff\xd9"
_SCAN, _COMMENT = 0xDA, 0xFE
_JFIF, _ADOBE = (0xE0, b"JFIF\0"), (0xEE, b"Adobe")  # they say which colors the numbers mean
_JFIF_FIELDS = 14  # bytes of it before the thumbnail, the two that say its size included
_ADOBE_FIELDS = 12
# Inside a scan 0xFF is followed by 0, or by a restart marker; anything else ends the scan.
_SCAN_END = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)


def strip_metadata(encoded: bytes) -> bytes | None:
    """A JPEG file without EXIF, XMP, comments, thumbnails, or anything behind its end.

    What decides the pixels stays: tables, frames, scans, and the two markers that say which
    colors the numbers mean. A color profile goes: neither the teacher nor training uses one.

    Args:
        encoded: The file.

    Returns:
        The file without them; None if it does not hold together, up to its end marker.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (8, 8)).save(file, "JPEG", comment="at home", exif=b"Exif\\0\\0GPS")
        >>> stripped = strip_metadata(file.getvalue())
        >>> b"at home" in stripped, b"GPS" in stripped
        (False, False)
    """
    if not encoded.startswith(_START):
        return None
    kept, place = [_START], len(_START)
    while encoded[place : place + 2] != _END:
        segment = _segment(encoded, place)
        if segment is None:
            return None
        place += len(segment)
        kept.append(_cleaned(segment))
    return b"".join([*kept, _END])


def _segment(encoded: bytes, place: int) -> bytes | None:
    """The marker at that place with all that belongs to it; None if there is none."""
    head = encoded[place : place + 4]
    if len(head) < 4 or head[0] != 0xFF or not 0xC0 <= head[1] <= _COMMENT:
        return None
    if 0xD0 <= head[1] <= 0xD9:  # of no length: a second start, or a restart outside a scan
        return None
    end = place + 2 + int.from_bytes(head[2:], "big")
    if head[1] == _SCAN:
        found = _SCAN_END.search(encoded, end)
        end = found.end() - 2 if found else len(encoded) + 1
    return encoded[place:end] if place + 4 <= end <= len(encoded) else None


def _cleaned(segment: bytes) -> bytes:
    """What stays of a marker and what belongs to it."""
    marker, content = segment[1], segment[4:]
    if marker == _JFIF[0] and content.startswith(_JFIF[1]) and len(content) >= _JFIF_FIELDS:
        return b"\xff\xe0\x00\x10" + content[: _JFIF_FIELDS - 2] + b"\0\0"
    if marker == _ADOBE[0] and content.startswith(_ADOBE[1]) and len(content) >= _ADOBE_FIELDS:
        return b"\xff\xee\x00\x0e" + content[:_ADOBE_FIELDS]
    return b"" if 0xE0 <= marker <= 0xEF or marker == _COMMENT else segment
