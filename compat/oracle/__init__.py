"""The oracle: what Apache Kafka answers, recorded once, and asked of kstream on every test run.

    python -m compat.oracle record [scenario...]   run against Apache Kafka, write tests/golden/<scenario>.txt
    python -m compat.oracle replay [scenario...]   run against kstream, compare with what was recorded
    python -m compat.oracle diff [scenario...]     run against both now, print what differs

A scenario is a short function in `compat/oracle/scenarios/`. What differs from Kafka on purpose is listed,
each with its reason, in `differences.py`; anything else that differs fails, and so does an entry that no
longer holds.
"""
