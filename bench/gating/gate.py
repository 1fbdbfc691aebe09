"""The gate, where revisions before ``bench/questions/gate.py`` look for it when they measure this one."""

from bench.questions.gate import GATE, PROTOCOL

__all__ = ["GATE", "PROTOCOL"]
