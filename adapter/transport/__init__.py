"""How messages and files come in besides HTTP: MLLP, folders, SFTP."""
