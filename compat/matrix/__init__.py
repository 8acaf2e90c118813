"""Every client and tool, run for real against a server of its own, and a table of what passed.

`entries` says who is in it, `run` has one do its steps, `pins` keeps what passed and writes the page.
"""
