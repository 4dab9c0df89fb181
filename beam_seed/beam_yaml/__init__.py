"""Our transforms for Beam YAML: ``provider.yaml`` names them, ``transforms`` adapts them to rows."""
