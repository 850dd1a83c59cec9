"""The services that Crafty talks to: one module each, all of them over the same careful HTTP."""
