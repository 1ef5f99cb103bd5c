"""Compiled training of small networks, one model per thread: what `hyperlib.zoos.engines.compiled` runs."""
