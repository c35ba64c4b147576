"""The road, from a dataset to files that a trainer takes. The only place that knows the order of things.

    adapter -> Sample -> fit -> Template -> Example -> prepare -> check -> Target's shape -> shard

`run` is the whole of it: `convert` plans, keeps what an earlier run finished, and works through the rest. `asked` holds
the options against the target, `prompts` joins templates to the source, `identity` says what makes a run this run.
`assign` decides what only the whole dataset can decide, `plan` cuts samples into shards, `shard` makes one of them,
`sample` takes one sample down the road, `rejects` says what was left out, `output` takes up and closes the folder,
`beside` says what it holds beside the lines, `warnings` what matters before an upload. `memory` reads Samples at hand,
`preview` shows what would be made, `dry` makes its texts without pixels.
"""

from labels2chat.road.preview import preview
from labels2chat.road.run import Result, convert
from labels2chat.road.shard import Progress

__all__ = ["Progress", "Result", "convert", "preview"]
