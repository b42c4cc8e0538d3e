"""Reading a source: names, attributes, digests, in this process or in others. Knows neither catalogue nor SQL.

The package imports little, because each reading process starts with it.
"""
