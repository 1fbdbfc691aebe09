"""Measures the network of :mod:`mtl_core` and states an interval with every answer."""
