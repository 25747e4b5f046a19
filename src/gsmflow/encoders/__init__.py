"""Encoders: pictures to features, words to semantics.

A model stores an encoder's record, not the encoder; only the command line and the service load one.
"""

from .base import ImageEncoder, TextEncoder, encoder_of

__all__ = ["ImageEncoder", "TextEncoder", "encoder_of"]
