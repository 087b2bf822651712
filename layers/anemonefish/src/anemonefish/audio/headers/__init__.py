"""Headers: what a recording's file says about itself besides the sound, as text that nothing has interpreted yet."""

from anemonefish.audio.headers.metadata import BroadcastExtension, Metadata
from anemonefish.audio.headers.read_headers import read_metadata
from anemonefish.audio.headers.recorder_headers import soundtrap_start

__all__ = ["BroadcastExtension", "Metadata", "read_metadata", "soundtrap_start"]
