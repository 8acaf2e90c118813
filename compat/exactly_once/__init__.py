"""Exactly-once, proved from outside: applications and the server are killed at random moments, then counted.

`trial` runs one application of one client, `counting` says what is wrong in the end, `application` keeps a
program alive that is killed again and again.
"""
