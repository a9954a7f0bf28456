"""What runs inside a lab: source files that are copied into images. They use nothing of labbox."""
