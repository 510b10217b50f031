"""Is it acceptable, and what is defaulted? The decisions behind Hansa's admission webhooks."""
