"""kstream beside its peers on one machine, in one run: `python -m benchmarks --help`.

To add a part, add one file to `benchmarks/parts`; `benchmarks/part.py` shows how it is declared.
"""
