"""What a training will cost, before it does.

dataset, lines   where examples come from     draw        a few of them
meter            one example's tokens         tally       a split's
histogram        how long examples are        prices      dated, in prices.yaml
run              the order of things          result      what is said in the end
"""

from labels2chat.estimate.prices import Price, load_prices
from labels2chat.estimate.result import Estimate
from labels2chat.estimate.run import estimate

__all__ = ["Estimate", "Price", "estimate", "load_prices"]
