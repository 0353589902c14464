"""The networks in torch: the modules that are trained. models/runtime/ has their compiled counterparts."""
