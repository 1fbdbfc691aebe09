"""The measured thing: MXNet's multi-task tutorial, real, correct and small.

The tutorial learns a digit and its parity from MNIST at once (Apache MXNet 1.9,
"Multi-task learning with Gluon"). Importing this package loads nothing; MXNet is loaded by
:mod:`mtl_core.platform.mxnet`, and only when a module that computes with it is imported.
"""
