"""Networks in torch: what they are, how they are trained, how they leave it. Nothing else in models/ imports torch."""
