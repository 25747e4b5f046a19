"""Models on a hub: Hugging Face's, or one that speaks as it does (``HF_ENDPOINT``).

A model is three files there, and nothing else is ever sent or fetched: ``model.safetensors``, its card ``README.md``,
and ``metrics.json`` where there is one. None of them holds code.
"""

from .client import read_token
from .fetch import Pulled, pull
from .publish import Pushed, push

__all__ = ["Pulled", "Pushed", "pull", "push", "read_token"]
