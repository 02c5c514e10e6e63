"""The shipped experiment, small enough for a test."""

import re

import satdl

TINY = """\
networks:
  conv_dae:
    - {conv: 2, activation: relu}
    - {batch_norm: {momentum: "${bn_momentum}"}}
    - {conv: 1, activation: sigmoid, name: denoised}
  classifier:
    - flatten
    - {dense: 8, activation: relu}
    - {dense: 10, activation: softmax}

"""


def tiny_dag():
    """The text of dags/full.yaml with tiny networks in place of its own."""
    full = (satdl.SOURCE / "dags/full.yaml").read_text()
    text = re.sub(r"(?ms)^networks:\n.*?(?=^[#\w])", TINY, full)
    assert text != full
    return text
