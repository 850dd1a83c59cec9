"""The benchmark: Crafty beside two baselines in one run, because machines differ and ratios do not."""
