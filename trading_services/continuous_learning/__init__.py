"""When to retrain, and whether a challenger may replace the champion."""
