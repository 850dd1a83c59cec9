"""The fuzzer: deliveries that no sender would send, to see that none is answered with a failure, slowly or greedily."""
