"""Hugging Face datasets: hub ids, save_to_disk folders, parquet, Arrow, JSON Lines, CSV, WebDataset, and objects.

Pictures are never decoded and tables never loaded: labels are read in batches, pictures by their place. Only the hub
needs the package datasets itself; its parquet and Arrow files are read with pyarrow, text and tar files with neither.
"""

from labels2chat.adapters.hf.files import detect
from labels2chat.adapters.hf.options import OPTIONS
from labels2chat.adapters.hf.source import from_collection, read

__all__ = ["OPTIONS", "detect", "from_collection", "read"]
