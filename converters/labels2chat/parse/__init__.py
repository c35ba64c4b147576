"""Read a model's answers back into labels, so that what was trained can be measured.

rows     predictions: an answer and what says which image it is of
answer   an answer's text: objects, in the numbers of a convention
place    the sample, and the way back from the delivered image to the dataset's frame
run      all of it
"""

from labels2chat.parse.answer import Answer, Object, read_answer
from labels2chat.parse.run import Parsed, coco_results, parse

__all__ = ["Answer", "Object", "Parsed", "coco_results", "parse", "read_answer"]
