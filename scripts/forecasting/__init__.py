"""The parts of `forecast_series.py`."""
