"""The parts of `classify_sentiment.py`."""
