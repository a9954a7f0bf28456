"""Images on other machines: the client side of the OCI distribution protocol. It never unpacks or runs anything."""
