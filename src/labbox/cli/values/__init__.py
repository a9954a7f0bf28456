"""The values of docker's flags (`-p 80:80`, `-v a:/b:ro`), read into the engine's types; never touches a container."""
