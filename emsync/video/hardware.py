"""Which decoder of a graphics card reads a film here, where a person asks for one.

H.264 and HEVC say to the bit what an undamaged film decodes to, and how a card lays pixels out
(NV12, P010) changes nothing that is measured. What a card makes of damage, or of other codecs, is
its maker's own; so the processor decodes by default.
"""

from emsync.errors import InputError, warn
from emsync.limits import quoted
from emsync.video.film import Film, reopened
from emsync.video.media import moving_picture, packets


def device_for(film: Film) -> str | None:
    """Return FFmpeg's name of a device that decodes ``film``; None leaves it to the processor.

    FFmpeg names the devices it was built for, not those that are there, so each is tried on the
    first picture. A warning says which one decodes, or that none does.
    """
    from av.codec.hwaccel import hwdevices_available

    devices = hwdevices_available()
    for device in devices:
        if _decodes(film, device):
            warn(
                f"{quoted(film.path)} is decoded by {device}; where it is damaged, that may give "
                "other pictures than the processor"
            )
            return device
    tried = ", ".join(devices) or "none is known"
    warn(f"no device here decodes {quoted(film.path)} ({tried}); the processor does")
    return None


def _decodes(film: Film, device: str) -> bool:
    """Return whether ``device`` is there and decodes the first picture of ``film``."""
    import av

    try:
        with reopened(film, device) as container:
            stream = moving_picture(film.path, container)
            read = packets(container, stream)
            return stream.codec_context.is_hwaccel and any(packet.decode() for packet in read)
    except (av.FFmpegError, InputError, RuntimeError):  # PyAV's where it knows without trying
        return False
