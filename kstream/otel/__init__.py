"""OpenTelemetry: spans of produce and fetch requests, linked to what producers said in the records' headers.

In the extra `otel`; imported only by `kstream serve --otel`.
"""
