from hypothesis import settings

# Reproducible: a failure seen once is seen again.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("suite")
